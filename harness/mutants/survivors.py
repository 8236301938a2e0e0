"""Mutants that the laws do not find, each with the reason; and those that are wrong in nothing, and must not be found."""

INNOCENT = {
    "chatters": "it only prints, also to the raw descriptor: its answers are right",
}
REASONS: dict[str, str] = {}  # mutant -> why no law can see it, or not within its budget
