"""How long, how much memory: judges nothing."""
