"""Coverage: the values of the discrete axes, and the pairs of them, that problems had, and how those problems ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations, product
from typing import Any

import numpy as np

from convlaws.problem.axes import RELATIONS
from convlaws.problem.features import features, said
from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE
from convlaws.records.finding import Verdict

Axes = Mapping[str, list[str]]


def places(axes: Axes) -> dict[tuple[str, str, str, str], int]:
    """The bit number of each pair, ordered by pairs of axes, then by the product of their values.

    >>> places({"op": ["fprop", "wgrad"], "bias": ["no", "yes"]})["op", "wgrad", "bias", "no"]
    2
    """
    pairs = ((a, x, b, y) for a, b in combinations(axes, 2) for x, y in product(axes[a], axes[b]))
    return {pair: bit for bit, pair in enumerate(pairs)}


_NO_YES = [said(value) for value in (False, True)]
AXES = {name: [said(value) for value in getattr(WHOLE, name)] for name in features(Problem.parse("n1c1k1_x1_r1"))}
AXES |= dict.fromkeys(RELATIONS, _NO_YES)
# values with which a result has no elements or only zeros: `kept` is no evidence then
NOTHING = frozenset({("batch", "empty"), ("empty", "yes")})
_EMPTY = frozenset({("one_tap", "yes", "kernel_over_input", "yes"), ("padding", "valid", "kernel_over_input", "yes")})
ENDS = ("judged", "refused", "vacuous", "crashed")
_PLACES = places(AXES)
_ENDS = {
    Verdict.REFUSED: ("refused",),
    Verdict.VACUOUS: ("vacuous",),
    **dict.fromkeys((Verdict.CRASHED, Verdict.HUNG), ("judged", "crashed")),
}


def evident(pair: tuple[str, str, str, str]) -> bool:
    """True if problems with this pair have results to compare."""
    return pair[:2] not in NOTHING and pair[2:] not in NOTHING and pair not in _EMPTY


def values(problem: Problem) -> dict[str, str]:
    """The value of each axis, as text; computed once per problem."""
    kept = vars(problem)
    if "_values" not in kept:
        told = {name: said(value) for name, value in features(problem).items()}
        kept["_values"] = told | {name: said(bool(holds(problem))) for name, holds in RELATIONS.items()}
    return kept["_values"]


def bits(pairs: Iterable[tuple[str, str, str, str]]) -> int:
    """The pairs as a bit mask."""
    return sum(1 << place for place in {_PLACES[pair] for pair in pairs})


_SPOTS = {pair: spot for spot, pair in enumerate((name, value) for name in AXES for value in AXES[name])}
_ROWS, _COLUMNS = np.triu_indices(len(AXES), 1)
_BIT = np.zeros((len(_SPOTS), len(_SPOTS)), np.intp)  # of a pair of values, by their spots
for (_a, _x, _b, _y), _place in _PLACES.items():
    _BIT[_SPOTS[_a, _x], _SPOTS[_b, _y]] = _place


def _spots(problem: Problem) -> np.ndarray:
    """The spot of the value that the problem has on each axis; computed once."""
    kept = vars(problem)
    if "_spots" not in kept:
        kept["_spots"] = np.array([_SPOTS[pair] for pair in values(problem).items()])
    return kept["_spots"]


def _bits(problem: Problem) -> int:
    """The mask of the problem's pairs; computed once."""
    kept = vars(problem)
    if "_pairs" not in kept:
        spots = _spots(problem)
        there = np.zeros(len(_PLACES), np.uint8)
        there[_BIT[spots[_ROWS], spots[_COLUMNS]]] = 1
        kept["_pairs"] = int.from_bytes(np.packbits(there, bitorder="little").tobytes(), "little")
    return kept["_pairs"]


class Tally:
    """The problems of one method that ended in one way: their number, values and pairs."""

    def __init__(self) -> None:
        self.problems = 0
        self.counts = np.zeros(len(_SPOTS), np.int64)
        self.pairs = 0

    def add(self, problem: Problem) -> None:
        """Count a problem."""
        self.problems += 1
        self.counts[_spots(problem)] += 1
        self.pairs |= _bits(problem)

    def record(self) -> dict[str, Any]:
        """The record for a run's summary."""
        by: dict[str, dict[str, int]] = {}
        for (name, value), spot in _SPOTS.items():
            if self.counts[spot]:
                by.setdefault(name, {})[value] = int(self.counts[spot])
        return {"problems": self.problems, "values": by, "pairs": f"{self.pairs:x}"}


class Coverage:
    """For each method: the problems that it was asked, and how they ended.

    A problem counts once for each way in which it ended: it may be judged under one law and vacuous under another.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[Problem, set[str]]] = {}
        self._tallies: dict[str, dict[str, Tally]] = {}

    def see(self, method: str, problem: Problem, verdict: Verdict) -> None:
        """Count a problem; consecutive laws that judge the same problem count it once."""
        last, ends = self._last.get(method, (None, set()))
        if last is not problem:
            ends = set()
            self._last[method] = problem, ends
        tallies = self._tallies.setdefault(method, {})
        for end in ("drawn", *_ENDS.get(verdict, ("judged",))):
            if end not in ends:
                ends.add(end)
                tallies.setdefault(end, Tally()).add(problem)

    def record(self, admits: Callable[[str], int] = lambda method: 0) -> dict[str, Any]:
        """The record for a run's summary, by method: the judged problems, and all other counts under `ended`.

        `pairs` is a hexadecimal bit mask in the order of `places`; `admits` is the mask of the pairs that the
        method's scope admits.
        """
        found = {}
        for method, tallies in self._tallies.items():
            told = {end: tally.record() for end, tally in tallies.items()}
            judged = told.pop("judged", None) or Tally().record()
            found[method] = {**judged, "ended": told, "admits": f"{admits(method):x}"}
        return found
