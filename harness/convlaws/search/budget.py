"""Allowance: how much of a budget each method may use, so that a slow one starves no other."""

from __future__ import annotations

from collections.abc import Iterable

from convlaws.judge.cell import Cell


class Allowance:
    """What the methods of a search have spent of its budget.

    Each job adds an even share of the budget; a method that has used up what it was given so far judges
    nothing more in that job, and what the quick ones leave is shared in the next round.
    """

    def __init__(self, budget: float | None, jobs: int, methods: int):
        self.share = budget / max(jobs * methods, 1) if budget else float("inf")
        self.given = 0.0
        self.spent: dict[str, float] = {}

    def next_job(self, part: float = 1.0) -> None:
        """Give every method the share of one more job, or a part of it."""
        self.given += part * self.share

    def grant(self, seconds: float) -> None:
        """Give every method so many seconds more."""
        self.given += seconds

    def charge(self, cell: Cell, seconds: float, cells: Iterable[Cell]) -> None:
        """Count what a case took; end the job of the cell's method if that was too much."""
        name = cell.method.name
        self.spent[name] = self.spent.get(name, 0.0) + seconds
        if self.spent[name] > self.given:
            for other in cells:
                if other.method.name == name:
                    other.goal = 0
