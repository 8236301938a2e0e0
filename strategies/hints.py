"""Hints: values that a draw is asked to have, and the choices that produce them.

A hint names some of the features, words and numbers of a problem. A draw follows it as far as the tables
allow, and picks the rest at random. The result is a list of the same choices that Hypothesis would have
made, so a problem drawn from a hint shrinks as any other does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from convlaws.strategies.tables import NUMBERS

# by the name of a pick: a value, or a list with one per axis; a number means the nearest one in the table
Hint = Mapping[str, Any]

# the plainest value of each feature that can be left out: fast paths require most features to be absent
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
    """Return a hint that leaves out each feature with probability 1/2: problems with few features, and with many."""
    return {name: value for name, value in _PLAINEST.items() if random.random() < 0.5}


class Guided:
    """A `Pick` that follows a hint, and picks at random where it names nothing; `choices` are the indices picked."""

    def __init__(self, hint: Hint, random: Random):
        self._wish, self._random = hint, random
        self.choices: list[int] = []

    def __call__(self, name: str, table: Sequence, axis: int = 0) -> Any:
        """Pick an entry of `table`."""
        self.choices.append(self._place(name, table, axis))
        return table[self.choices[-1]]

    def _place(self, name: str, table: Sequence, axis: int) -> int:
        wanted = self._wish.get(name)
        if isinstance(wanted, list):
            wanted = wanted[axis] if axis < len(wanted) else None
        if wanted is not None and wanted in table:
            return table.index(wanted)
        if wanted is None or name not in NUMBERS:
            return int(self._random.random() * len(table))  # `randrange` may change between versions of Python, `random` may not
        return min(range(len(table)), key=lambda place: abs(table[place] - wanted))
