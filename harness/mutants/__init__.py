"""Methods that are wrong on purpose, each in one way: they prove that the laws can fail."""

from convlaws.mutants import behaviour, beyond, healthy, indexing, numerics

__all__ = ["behaviour", "beyond", "healthy", "indexing", "numerics"]
