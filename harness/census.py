"""Census: which values of the discrete features, and which pairs of them, the judged problems had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations, product
from typing import Any

from convlaws.features import features, said
from convlaws.problem import Problem
from convlaws.scope import WHOLE

Axes = Mapping[str, list[str]]


def places(axes: Axes) -> dict[tuple[str, str, str, str], int]:
    """The bit of each pair: by pairs of axes in their order, then by the product of their values.

    >>> places({"op": ["fprop", "wgrad"], "bias": ["no", "yes"]})["op", "wgrad", "bias", "no"]
    2
    """
    pairs = ((a, x, b, y) for a, b in combinations(axes, 2) for x, y in product(axes[a], axes[b]))
    return {pair: bit for bit, pair in enumerate(pairs)}


AXES = {name: [said(value) for value in getattr(WHOLE, name)] for name in features(Problem.parse("n1c1k1_x1_r1"))}
_PLACES = places(AXES)


def _values(problem: Problem) -> dict[str, str]:
    return {name: said(value) for name, value in features(problem).items()}


def _bits(problem: Problem) -> int:
    """The pairs that a problem has, one bit each; worked out once a problem."""
    kept = vars(problem)
    if "_pairs" not in kept:
        pairs = combinations(_values(problem).items(), 2)
        kept["_pairs"] = sum(1 << _PLACES[a, x, b, y] for (a, x), (b, y) in pairs)
    return kept["_pairs"]


class Census:
    """For each method: how many problems it was judged on, their values, and the pairs that they had."""

    def __init__(self) -> None:
        self._last: dict[str, Problem] = {}
        self._problems: Counter[str] = Counter()
        self._values: dict[str, Counter[tuple[str, str]]] = {}
        self._pairs: dict[str, int] = {}

    def see(self, method: str, problem: Problem) -> None:
        """Count a judged problem; all laws that judge it one after the other count it once."""
        if self._last.get(method) is problem:
            return
        self._last[method] = problem
        self._problems[method] += 1
        self._values.setdefault(method, Counter()).update(_values(problem).items())
        self._pairs[method] = self._pairs.get(method, 0) | _bits(problem)

    def record(self) -> dict[str, Any]:
        """As a run's summary has it, by method: `pairs` is a hexadecimal number whose bits stand in the order of `places`."""
        return {method: self._of(method, count) for method, count in self._problems.items()}

    def _of(self, method: str, count: int) -> dict[str, Any]:
        values: dict[str, dict[str, int]] = {}
        for (name, value), number in self._values[method].items():
            values.setdefault(name, {})[value] = number
        return {"problems": count, "values": values, "pairs": f"{self._pairs[method]:x}"}
