"""Verified times of methods on a problem, in interleaved rounds; the roofline."""
