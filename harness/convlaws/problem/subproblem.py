"""Part of a large problem: some channels of the result, which are a problem of their own that the oracle can afford."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from convlaws.problem.problem import Problem
from convlaws.problem.spec import ConvSpec

AFFORDED = 50_000_000  # multiply-adds: the oracle takes 0.1 s of float32 and a second of float64, in one measurement here
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Subproblem:
    """`spec` and `operands` of the part; `index` cuts its result out of the whole one; `share` is its part of it.

    A channel of a result depends on no other, so what a contract says of the part holds for those channels of
    the whole. All places and images of a channel are there: a transform's plane is whole, and so are its tiles.
    """

    spec: ConvSpec
    operands: Mapping[str, Array]
    index: tuple
    share: float


def subproblem(problem: Problem, afforded: int = AFFORDED) -> Subproblem:
    """As many channels as the oracle can afford, chosen by the problem's seed; all of them if that is possible.

    At least one channel of one group, however dear that is.
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
    inner[-1], groups[-1] = within - 1, spec.groups - 1  # the last one always: kernels go wrong in their tails
    cut = _Cut(spec, op == "dgrad", groups, inner)
    operands = {role: cut.of(role, a) for role, a in problem.operands.items()}
    return Subproblem(cut.spec, operands, cut.index(op), len(groups) * len(inner) / (within * spec.groups))


@dataclass(frozen=True, eq=False)
class _Cut:
    """Chosen groups, and within each chosen channels of one side: the input's if `inward`, else the output's."""

    whole: ConvSpec
    inward: bool
    groups: Array
    inner: Array

    def _channels(self, side: str) -> Array:
        """Which channels of the input ('in') or of the output ('out') are kept."""
        per = (self.whole.in_channels if side == "in" else self.whole.out_channels) // self.whole.groups
        kept = self.inner if self.inward == (side == "in") else np.arange(per)
        return (self.groups[:, None] * per + kept).ravel()

    @property
    def spec(self) -> ConvSpec:
        """The sizes of the part."""
        inside, outside = (len(self._channels(side)) for side in ("in", "out"))
        return replace(self.whole, groups=len(self.groups), in_channels=inside, out_channels=outside)

    def _axis(self, side: str) -> tuple:
        lead = () if self.whole.batch is None else (slice(None),)
        return (*lead, self._channels(side))

    def _weights(self) -> tuple:
        """w has all channels of one side along axis 0, and those of one group of the other along axis 1."""
        rows = "in" if self.whole.transposed else "out"
        chosen_rows = self.inward == (rows == "in")
        return np.ix_(self._channels(rows), _second_axis(self.inner, chosen_rows, self.whole.w_shape[1]))

    def of(self, role: str, a: Array) -> Array:
        """The part of an operand."""
        index = {"x": self._axis("in"), "gy": self._axis("out"), "b": (self._channels("out"),), "w": self._weights()}[role]
        kept = np.ascontiguousarray(a[index])
        kept.setflags(write=False)
        return kept

    def index(self, op: str) -> tuple:
        """Where the part's result is in the whole one."""
        return {"fprop": self._axis("out"), "dgrad": self._axis("in"), "wgrad": self._weights()}[op]


def _second_axis(inner: Array, rows: bool, count: int) -> Array:
    """The chosen channels of axis 1 of w, or all of them if it is axis 0 that was chosen from."""
    return np.arange(count) if rows else inner
