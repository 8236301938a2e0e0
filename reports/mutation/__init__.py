"""The documents on mutants: which law kills which, how soon, and where the bugs come from."""
