"""The numbers of one spatial axis, and relations between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from convlaws.problem.problem import Problem


class Axis(NamedTuple):
    """One spatial axis: extent, kernel, stride, dilation, input dilation, reach, padding, output and its padding, `unused`."""

    x: int
    r: int
    s: int
    d: int
    i: int
    reach: int
    low: int
    high: int
    y: int
    extra: int
    transposed: bool
    tail: int

    @property
    def padded(self) -> int:
        """The extent of the array that the kernel slides over, before output positions are chosen."""
        return (self.i * (self.x - 1) + 1 if self.x else 0) + self.low + self.high


def axes(problem: Problem) -> list[Axis]:
    """Return the axes of a problem; cached in the problem."""
    kept = vars(problem)
    if "_axes" not in kept:
        s = problem.spec
        columns = (
            s.extent,
            s.kernel,
            s.stride,
            s.dilation,
            s.input_dilation,
            s.reach,
            s.sides,
            s.output,
            s.output_padding,
            s.unused,
        )
        kept["_axes"] = [
            Axis(x, r, st, d, i, reach, low, high, y, extra, s.transposed, tail)
            for x, r, st, d, i, reach, (low, high), y, extra, tail in zip(*columns, strict=True)
        ]
    return kept["_axes"]


def multiplier(problem: Problem) -> int:
    """Return the output channels per input channel of a depthwise convolution; 0 for another."""
    s = problem.spec
    return s.out_channels // s.groups if s.groups == s.in_channels > 1 else 0


def _some(test: Callable[[Axis], bool]) -> Callable[[Problem], bool]:
    return lambda p: any(map(test, axes(p)))


# relations between numbers, which a scope has no field for
RELATIONS: dict[str, Callable[[Problem], bool]] = {
    "one_tap": lambda p: max(p.spec.kernel) == 1,
    "even_kernel": _some(lambda a: a.r % 2 == 0),
    "stride_over_kernel": _some(lambda a: a.s > a.reach),
    "padding_over_kernel": _some(lambda a: max(a.low, a.high) > a.reach),
    "kernel_over_input": _some(lambda a: a.reach > a.x),
    "unused_tail": _some(lambda a: a.tail > 0),
}
