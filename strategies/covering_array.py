"""A covering array: rows of features that contain every feasible combination of three values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations, product
from pathlib import Path
from random import Random

import numpy as np

from convlaws.problem.scope import WHOLE
from convlaws.strategies.hints import Hint
from convlaws.strategies.specs import Kind, conflict

FILE = Path(__file__).with_name("covering_array.txt")
_CALL = ("op", "bias")
_AXES: dict[str, tuple] = {
    "op": WHOLE.ops,
    "bias": WHOLE.bias,
    "dtype": WHOLE.dtypes,
    "layout": WHOLE.layouts,
    "fill": WHOLE.fills,
    "ndim": WHOLE.ndim,
    "grouping": WHOLE.grouping,
    "batch": WHOLE.batch,
    **{name: getattr(WHOLE, name) for name in Kind._fields},
}
# values that leave nothing to compare: covered in separate rows, as they would void the other values of their row
_NOTHING: dict[str, tuple] = {"batch": ("empty",), "empty": (True,)}
_SOME: dict[str, tuple] = {name: tuple(v for v in _AXES[name] if v not in gone) for name, gone in _NOTHING.items()}


def kinds() -> list[Kind]:
    """Return every kind for which a valid spec exists."""
    rows = (Kind(*row) for row in product(*(_AXES[name] for name in Kind._fields)))
    return [kind for kind in rows if conflict(kind) is None]


class Array:
    """Rows of values of `axes` that contain every feasible combination of `strength` values.

    Built row by row, greedily: a row starts with an uncovered combination, and each other axis takes the
    value that covers the most new ones. Deterministic.

    References:
        Cohen, Dalal, Fredman, Patton, The AETG system, IEEE Trans. Softw. Eng. 23 (1997).
    """

    def __init__(self, axes: Mapping[str, tuple], strength: int):
        self._axes, self._strength = axes, strength
        self._values = [(name, value) for name, values in axes.items() for value in values]
        place = {pair: i for i, pair in enumerate(self._values)}
        self._of = {name: [place[name, v] for v in values] for name, values in axes.items()}
        self._groups = [self._table(place, tuple(Kind._fields), kinds()), self._table(place, _CALL, _calls())]
        self._left = self._feasible()

    def _table(self, place: Mapping, names: tuple[str, ...], rows: list) -> np.ndarray:
        """Return the mask (row of `names`, value) of allowed values; values of axes outside `names` are always allowed."""
        inside = [[place[pair] for pair in zip(names, row, strict=True)] for row in rows if self._within(names, row)]
        table = np.ones((len(inside), len(self._values)), bool)
        for name in names:
            table[:, self._of[name]] = False
        for i, held in enumerate(inside):
            table[i, held] = True
        return table

    def _within(self, names: tuple[str, ...], row: tuple) -> bool:
        return all(value in self._axes[name] for name, value in zip(names, row, strict=True))

    def _feasible(self) -> np.ndarray:
        """Return the mask of feasible combinations of `strength` values, in every order."""
        left = np.ones((len(self._values),) * self._strength, bool)
        for table in self._groups:
            held = table.astype(np.float32)
            left &= (
                np.einsum("ia,ib->ab" if self._strength == 2 else "ia,ib,ic->abc", *(held,) * self._strength, optimize=True) > 0
            )
        axis = np.array([list(self._of).index(name) for name, _ in self._values])
        for a, b in combinations(range(self._strength), 2):
            shape = [1] * self._strength
            one, two = list(shape), list(shape)
            one[a], two[b] = -1, -1
            left &= axis.reshape(one) != axis.reshape(two)
        return left

    def rows(self) -> list[Hint]:
        """Build and return the rows."""
        hints: list[Hint] = []
        random = Random(0)
        while self._left.any():
            first = np.unravel_index(int(np.argmax(self._left)), self._left.shape)
            row = self._grown([int(v) for v in first], random)
            self._left[np.ix_(*(row,) * self._strength)] = False
            hints.append(dict(self._values[v] for v in row))
        return hints

    def _grown(self, row: list[int], random: Random) -> list[int]:
        """Extend `row` by one value of each axis that it lacks."""
        allowed = [table[table[:, row].all(axis=1)] for table in self._groups]
        names = [name for name in self._axes if not set(self._of[name]) & set(row)]
        for name in random.sample(names, len(names)):
            possible = np.logical_and.reduce([table.any(axis=0) for table in allowed])
            values = [v for v in self._of[name] if possible[v]]
            gain = self._left[_crossed(values, *(row,) * (self._strength - 1))].reshape(len(values), -1).sum(axis=1).tolist()
            most = max(gain)
            best = [v for v, g in zip(values, gain, strict=True) if g == most]
            row = [*row, random.choice(best)]
            allowed = [table[table[:, row[-1]]] for table in allowed]
        return row


def _crossed(*places: list[int]) -> tuple[np.ndarray, ...]:
    """The same as np.ix_, which takes longer than the sum over the elements it selects."""
    return tuple(np.array(some).reshape(-1, *(1,) * (len(places) - 1 - n)) for n, some in enumerate(places))


def _calls() -> list[tuple[str, bool]]:
    return [(op, bias) for op, bias in product(WHOLE.ops, WHOLE.bias) if bias or op != "bgrad"]


def computed() -> tuple[Hint, ...]:
    """Compute the array: three-way complete where there is something to compare, pairwise where there is not."""
    some = Array({**_AXES, **_SOME}, 3)
    nothing = [Array({**_AXES, name: gone}, 2) for name, gone in _NOTHING.items()]
    return tuple(row for array in (some, *nothing) for row in array.rows())


@lru_cache(maxsize=1)
def rows() -> tuple[Hint, ...]:
    """Return the array, as its file has it: computing it takes half a second, and every process needs it.

    It is computed where the file is of other axes; `python -m convlaws.strategies.covering_array` writes the file.
    """
    head, *lines = FILE.read_text(encoding="ascii").splitlines()
    if head != _head():
        return computed()
    return tuple({name: _AXES[name][int(place)] for name, place in zip(_AXES, line, strict=True)} for line in lines)


def _head() -> str:
    return " ".join(f"{name}={','.join(map(str, values))}" for name, values in _AXES.items())


def text() -> str:
    """Return what the file should have: the axes, then a line for each row, with the place of each axis' value."""
    lines = ("".join(str(_AXES[name].index(row[name])) for name in _AXES) for row in computed())
    return "".join(f"{line}\n" for line in (_head(), *lines))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="ascii")
