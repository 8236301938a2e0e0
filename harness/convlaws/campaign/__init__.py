"""Hours of search on many processes or machines, with nothing lost when they are killed."""
