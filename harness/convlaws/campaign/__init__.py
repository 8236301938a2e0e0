"""Campaigns: hours of checking on many processes and machines, of which nothing is lost."""
