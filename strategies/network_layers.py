"""Layers of real networks, cut down to what a budget affords, as wishes: ratios of channels and tails stay."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from random import Random

from convlaws.problem.catalogues import catalogue, names
from convlaws.problem.features import features
from convlaws.problem.problem import Problem
from convlaws.problem.spec import ConvSpec
from convlaws.strategies.build import beyond_room
from convlaws.strategies.hints import Wish
from convlaws.strategies.tables import LONG, Kind

AFFORDED = 60_000  # multiply-adds, and elements of x
_SHAPE = ("ndim", "grouping", "batch")


@lru_cache(maxsize=1)
def layers() -> tuple[Wish, ...]:
    """A wish for each different layer of each catalogue."""
    found = [_wish(problem) for name in names() for _, problem in catalogue(name) if _has_results(problem.spec)]
    return tuple({repr(wish): wish for wish in found}.values())


def mutated(wish: Wish, random: Random) -> Wish:
    """`wish` with one of its names left to chance."""
    dropped = random.choice([name for name in wish if name != "scale"])
    return {name: value for name, value in wish.items() if name != dropped}


def _has_results(spec: ConvSpec) -> bool:
    return 0 not in (*spec.extent, *spec.output)


def _wish(problem: Problem) -> Wish:
    spec, found = problem.spec, features(problem)
    sizes = _Sizes(spec)
    while sizes.cost > AFFORDED and sizes.halve():
        pass
    words = {name: found[name] for name in (*_SHAPE, *Kind._fields)}
    sides = zip(*spec.sides, strict=True)
    return {
        **words,
        "scale": "layers",
        "images": sizes.images,
        "groups": sizes.groups,
        "inward": sizes.inward,
        "outward": sizes.outward,
        "beyond": [_tailed(b, s) for b, s in zip(sizes.beyond, spec.stride, strict=True)],
        "kernel": list(spec.kernel),
        "stride": list(spec.stride),
        "dilation": list(spec.dilation),
        **dict(zip(("low", "high"), map(list, sides), strict=True)),
        "extra": list(spec.output_padding),
    }


def _tailed(beyond: int, stride: int) -> int:
    """The number of the table that is nearest to `beyond` and leaves the same tail."""
    return min((n for n in LONG if n % stride == beyond % stride), key=lambda n: abs(n - beyond))


class _Sizes:
    """The sizes of a layer that may become smaller: halved together, so that ratios stay."""

    def __init__(self, spec: ConvSpec):
        self.images, self.groups = spec.images, spec.groups
        self.inward, self.outward = spec.in_channels // spec.groups, spec.out_channels // spec.groups
        self.beyond = beyond_room(spec)
        self._taps, self._stride = prod(spec.kernel), spec.stride

    @property
    def cost(self) -> int:
        """About as many multiply-adds, or elements of x where these are more."""
        pairs = self.images * self.groups * self.inward
        results = prod(b // s + 1 for b, s in zip(self.beyond, self._stride, strict=True))
        return pairs * max(self.outward * self._taps * results, prod(b + 1 for b in self.beyond))

    def halve(self) -> bool:
        """Halve what is largest; False if all is at its least."""
        largest = max(self.inward, self.outward, *self.beyond, self.groups, self.images)
        if largest <= 1:
            return False
        if largest == max(self.inward, self.outward):
            self.inward, self.outward = max(1, self.inward // 2), max(1, self.outward // 2)
        elif largest in self.beyond:
            self.beyond = [s * (b // s // 2) + b % s for b, s in zip(self.beyond, self._stride, strict=True)]
        elif largest == self.groups:
            self.groups //= 2
        else:
            self.images //= 2
        return True
