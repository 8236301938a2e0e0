"""The geometry of a problem's windows, and its wrong elements: the input of `picture`."""

from __future__ import annotations

import binascii
import zlib
from dataclasses import dataclass
from math import prod

import numpy as np

from convlaws.oracle.claim import MOST_MASK, unpacked
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.reports.sanitize import LINE

LONGEST_MASK = 4096  # characters; evidence_of writes fewer


@dataclass(frozen=True)
class AxisPicture:
    """One spatial axis: a window of taps slides over `wide` elements and has `narrow` places.

    For a convolution the wide side is x and the narrow y; a transposed one exchanges them. The wide side has
    `low` and `high` additional elements: padding, or what a transposed convolution crops.
    """

    wide: int
    low: int
    high: int
    narrow: int
    kernel: int
    dilation: int
    stride: int

    @property
    def span(self) -> int:
        """The size of the wide side with its border."""
        return self.low + self.wide + self.high

    @property
    def reach(self) -> int:
        """The extent of the window, holes included."""
        return self.dilation * (self.kernel - 1) + 1

    def taps(self, place: int) -> range:
        """Return the positions within `span` that the window touches at a place."""
        start = place * self.stride
        return range(start, start + self.reach, self.dilation)


def parsed(line: str) -> Problem | None:
    """Return the problem of a line, or None if it cannot be parsed."""
    try:
        return Problem.parse(line[:LINE])
    except (ValueError, TypeError, OverflowError):
        return None


def axes(problem: Problem) -> list[AxisPicture]:
    """Return the spatial axes of a problem."""
    s = problem.spec
    wide, narrow = (s.output, s.extent) if s.transposed else (s.extent, s.output)
    rows = zip(wide, s.sides, narrow, s.kernel, s.dilation, s.stride, strict=True)
    return [AxisPicture(w, low, high, n, r, d, t) for w, (low, high), n, r, d, t in rows]


def wide_role(problem: Problem) -> str:
    """Return the role of the array that the window slides over."""
    return "y" if problem.spec.transposed else "x"


def narrow_role(problem: Problem) -> str:
    """Return the role of the array that has one element per place of the window."""
    return "x" if problem.spec.transposed else "y"


@dataclass(frozen=True, eq=False)
class Wrong:
    """The mask of the wrong elements of the result. `whole`: it covers all of them, not only the listed ones."""

    mask: np.ndarray
    worst: tuple[int, ...]
    whole: bool

    def of(self, problem: Problem) -> bool:
        """True if the mask is about the problem's own result, not about an array that a law derived from it."""
        return self.mask.shape == tuple(shape_of(problem.spec, RESULT[problem.op]))

    def spatial(self, ndim: int) -> np.ndarray:
        """Return the mask of places at which any image or channel is wrong."""
        return np.asarray(self.mask.any(axis=tuple(range(self.mask.ndim - ndim))))


def wrong_elements(evidence: dict) -> Wrong | None:
    """Return the wrong elements of a finding; None if its evidence has none or is malformed."""
    try:
        shape = tuple(int(n) for n in evidence["shape"])
        listed = [tuple(int(i) for i in row["at"]) for row in evidence["elements"]]
        mask = unpacked(evidence) if len(evidence.get("mask") or "") <= LONGEST_MASK and prod(shape) <= MOST_MASK else None
        if not listed or prod(shape) > 1 << 24 or min(shape) < 0:
            return None
        flags = np.zeros(shape, bool) if mask is None else mask
        for at in listed:
            flags[at] = True
        return Wrong(flags, listed[0], mask is not None) if all(len(at) == len(shape) for at in listed) else None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, binascii.Error, zlib.error):
        return None
