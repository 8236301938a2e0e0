"""Part of a large problem: some channels of the result, as a problem that is within the oracle's budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from convlaws.problem.problem import Problem
from convlaws.problem.spec import ConvSpec

AFFORDED = 50_000_000  # multiply-adds: the oracle takes 0.1 s in float32 and 1 s in float64, as measured once here
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Subproblem:
    """The part's `spec` and `operands`; `index` selects its result in the whole one; `share` is its share of it.

    Channels of a result are independent of each other, so a contract that holds for the part holds for these channels
    of the whole. Channels keep all places and images: the planes and tiles of a transform are complete.
    """

    spec: ConvSpec
    operands: Mapping[str, Array]
    index: tuple
    share: float


def subproblem(problem: Problem, afforded: int = AFFORDED) -> Subproblem:
    """Return as many channels as `afforded` allows, chosen by the problem's seed; all of them if possible.

    At least one channel of one group is kept, whatever it costs.
    """
    spec, op = problem.spec, problem.op
    if op == "bgrad" or spec.macs <= afforded:
        return Subproblem(spec, problem.operands, (...,), 1.0)
    within, across = spec.out_channels // spec.groups, spec.in_channels // spec.groups
    within, across = (across, within) if op == "dgrad" else (within, across)
    count = max(1, afforded * within * spec.groups // spec.macs)  # channels of the result
    rng = problem.rng("part")
    groups = np.sort(rng.choice(spec.groups, max(1, min(spec.groups, count // within)), replace=False))
    inner = np.sort(rng.choice(within, min(within, count), replace=False))
    inner[-1], groups[-1] = within - 1, spec.groups - 1  # always keep the last one: kernels fail in their tails
    cut = _Cut(spec, op == "dgrad", groups, inner)
    operands = {role: cut.of(role, a) for role, a in problem.operands.items()}
    return Subproblem(cut.spec, operands, cut.index(op), len(groups) * len(inner) / (within * spec.groups))


@dataclass(frozen=True, eq=False)
class _Cut:
    """Chosen groups, and in each of them chosen channels of one side: the input if `inward`, else the output."""

    whole: ConvSpec
    inward: bool
    groups: Array
    inner: Array

    def _channels(self, side: str) -> Array:
        """Return the kept channels of the input ('in') or of the output ('out')."""
        per = (self.whole.in_channels if side == "in" else self.whole.out_channels) // self.whole.groups
        kept = self.inner if self.inward == (side == "in") else np.arange(per)
        return (self.groups[:, None] * per + kept).ravel()

    @property
    def spec(self) -> ConvSpec:
        """Return the sizes of the part."""
        inside, outside = (len(self._channels(side)) for side in ("in", "out"))
        return replace(self.whole, groups=len(self.groups), in_channels=inside, out_channels=outside)

    def _axis(self, side: str) -> tuple:
        lead = () if self.whole.batch is None else (slice(None),)
        return (*lead, self._channels(side))

    def _weights(self) -> tuple:
        """Return the index of w: all kept channels of one side on axis 0, those of one group of the other side on axis 1."""
        rows = "in" if self.whole.transposed else "out"
        chosen_rows = self.inward == (rows == "in")
        return np.ix_(self._channels(rows), _second_axis(self.inner, chosen_rows, self.whole.w_shape[1]))

    def of(self, role: str, a: Array) -> Array:
        """Return the part of an operand."""
        index = {"x": self._axis("in"), "gy": self._axis("out"), "b": (self._channels("out"),), "w": self._weights()}[role]
        kept = np.ascontiguousarray(a[index])
        kept.setflags(write=False)
        return kept

    def index(self, op: str) -> tuple:
        """Return the index of the part's result in the whole one."""
        return {"fprop": self._axis("out"), "dgrad": self._axis("in"), "wgrad": self._weights()}[op]


def _second_axis(inner: Array, rows: bool, count: int) -> Array:
    """Return the chosen channels of axis 1 of w, or all of them if the channels were chosen on axis 0."""
    return np.arange(count) if rows else inner
