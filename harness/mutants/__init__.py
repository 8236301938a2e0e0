"""Methods that are wrong on purpose, each in one way: they prove that the laws can fail."""

from convlaws.mutants import behaviour, healthy, indexing, numerics

__all__ = ["behaviour", "healthy", "indexing", "numerics"]
