"""Mutation testing of the judge: which law kills which mutant, how soon, beside baselines."""
