"""Hints from layers of real networks, reduced to a budget with channel ratios and tails kept."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from random import Random

from convlaws.problem.catalogues import catalogue, names
from convlaws.problem.features import features
from convlaws.problem.problem import Problem
from convlaws.problem.spec import ConvSpec
from convlaws.strategies.build import beyond_room
from convlaws.strategies.hints import Hint
from convlaws.strategies.tables import LONG, Kind

AFFORDED = 60_000  # largest number of multiply-adds, and of elements of x
_SHAPE = ("ndim", "grouping", "batch")


@lru_cache(maxsize=1)
def layers() -> tuple[Hint, ...]:
    """Return a hint for each distinct layer of all catalogues."""
    hints = [_wish(problem) for name in names() for _, problem in catalogue(name) if _has_results(problem.spec)]
    return tuple({repr(hint): hint for hint in hints}.values())


def mutated(hint: Hint, random: Random) -> Hint:
    """Return `hint` without one of its names, chosen at random."""
    dropped = random.choice([name for name in hint if name != "scale"])
    return {name: value for name, value in hint.items() if name != dropped}


def _has_results(spec: ConvSpec) -> bool:
    return 0 not in (*spec.extent, *spec.output)


def _wish(problem: Problem) -> Hint:
    spec, traits = problem.spec, features(problem)
    sizes = _Sizes(spec)
    while sizes.cost > AFFORDED and sizes.halve():
        pass
    words = {name: traits[name] for name in (*_SHAPE, *Kind._fields)}
    sides = zip(*spec.sides, strict=True)
    return {
        **words,
        "scale": "layers",
        "images": sizes.images,
        "groups": sizes.groups,
        "in_per_group": sizes.in_per_group,
        "out_per_group": sizes.out_per_group,
        "extra_extent": [_tailed(b, s) for b, s in zip(sizes.extra_extent, spec.stride, strict=True)],
        "kernel": list(spec.kernel),
        "stride": list(spec.stride),
        "dilation": list(spec.dilation),
        **dict(zip(("low", "high"), map(list, sides), strict=True)),
        "extra": list(spec.output_padding),
    }


def _tailed(extra_extent: int, stride: int) -> int:
    """Return the number of the table nearest to `extra_extent` that leaves the same tail."""
    return min((n for n in LONG if n % stride == extra_extent % stride), key=lambda n: abs(n - extra_extent))


class _Sizes:
    """The sizes of a layer that may be reduced: channels are halved together, so that their ratio is kept."""

    def __init__(self, spec: ConvSpec):
        self.images, self.groups = spec.images, spec.groups
        self.in_per_group, self.out_per_group = spec.in_channels // spec.groups, spec.out_channels // spec.groups
        self.extra_extent = beyond_room(spec)
        self._taps, self._stride = prod(spec.kernel), spec.stride

    @property
    def cost(self) -> int:
        """The approximate number of multiply-adds, or of elements of x if that is larger."""
        pairs = self.images * self.groups * self.in_per_group
        results = prod(b // s + 1 for b, s in zip(self.extra_extent, self._stride, strict=True))
        return pairs * max(self.out_per_group * self._taps * results, prod(b + 1 for b in self.extra_extent))

    def halve(self) -> bool:
        """Halve the largest size; False if all are at their least."""
        largest = max(self.in_per_group, self.out_per_group, *self.extra_extent, self.groups, self.images)
        if largest <= 1:
            return False
        if largest == max(self.in_per_group, self.out_per_group):
            self.in_per_group, self.out_per_group = max(1, self.in_per_group // 2), max(1, self.out_per_group // 2)
        elif largest in self.extra_extent:
            self.extra_extent = [s * (b // s // 2) + b % s for b, s in zip(self.extra_extent, self._stride, strict=True)]
        elif largest == self.groups:
            self.groups //= 2
        else:
            self.images //= 2
        return True
