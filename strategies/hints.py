"""Wishes: what a draw is asked for, and the choices that grant it.

A wish names some of what a problem is drawn by: features, words, numbers. It is granted where the
tables have it, and what it does not name is left to chance. What comes out are the same choices that
Hypothesis would have made, so a problem that was wished for shrinks as any other does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from convlaws.strategies.tables import NUMBERS

# by what is picked: a value, or a list of them, one an axis; of numbers the nearest in the table is meant
Hint = Mapping[str, Any]

# the plainest value of each feature that can be left out: fast paths want most of them absent
_PLAINEST: Hint = {
    "grouping": "one",
    "batch": "one",
    "transposed": False,
    "padding": "none",
    "padding_mode": "zeros",
    "output_padding": False,
    "strided": False,
    "dilated": False,
    "input_dilated": False,
    "empty": False,
    "bias": False,
    "layout": "contiguous",
}


def swarm(random: Random) -> Hint:
    """Each feature left out or left to chance: problems of few features, and of many."""
    return {name: value for name, value in _PLAINEST.items() if random.random() < 0.5}


class Guided:
    """Picks what a wish names, and at random what it does not; `choices` are the places in the tables."""

    def __init__(self, hint: Hint, random: Random):
        self._wish, self._random = hint, random
        self.choices: list[int] = []

    def __call__(self, name: str, table: Sequence, axis: int = 0) -> Any:
        """An entry of `table`."""
        self.choices.append(self._place(name, table, axis))
        return table[self.choices[-1]]

    def _place(self, name: str, table: Sequence, axis: int) -> int:
        wanted = self._wish.get(name)
        if isinstance(wanted, list):
            wanted = wanted[axis] if axis < len(wanted) else None
        if wanted in table:
            return table.index(wanted)
        if wanted is None or name not in NUMBERS:
            return self._random.randrange(len(table))
        return min(range(len(table)), key=lambda place: abs(table[place] - wanted))
