"""The elements of x that each tap of each result reads, axis by axis, with repetitions merged.

The matrix of a convolution is separable: the elements that a result reads are the product of those that its
position reads on each axis. So one table per axis suffices, and consecutive positions with the same reads,
each shifted by a step, are stored once.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import numpy as np

from convlaws.methods.base import Array
from convlaws.problem.spec import ConvSpec

NOTHING = -1  # the value for a tap over padding or between spaced elements


class Read(NamedTuple):
    """The reads of one position, in ascending order: `taps` are those that read an element, `starts` the indices in them at
    which another element begins, if several taps read the same element (None: each is read by one tap)."""

    taps: Array
    elements: Array
    starts: Array | None


class ReadRun(NamedTuple):
    """The same reads `times` times, each time `step` elements further."""

    reads: tuple[Read, ...]
    times: int
    step: int


def table(spec: ConvSpec, axis: int, positions: Array) -> Array:
    """Return (positions, kernel): the element of x that a tap of a result at a position of `axis` reads, or NOTHING."""
    tap = np.arange(spec.kernel[axis]) * spec.dilation[axis]
    low, stride, extent = spec.sides[axis][0], spec.stride[axis], spec.extent[axis]
    if spec.transposed:
        return _spaced(positions[:, None] + low - tap, stride, extent)
    return _COPIED[spec.padding_mode](positions[:, None] * stride + tap - low, spec.input_dilation[axis], extent)


def _spaced(at: Array, step: int, extent: int) -> Array:
    """Return the element at a place, where elements are `step` apart with zeros between them."""
    return np.where((at % step == 0) & (at >= 0) & (at < extent * step), at // step, NOTHING)


# a place on the padded axis, counted from the first element -> the element at this place
_COPIED = {
    "zeros": _spaced,
    "circular": lambda at, _, extent: at % extent,
    "replicate": lambda at, _, extent: at.clip(0, extent - 1),
    "reflect": lambda at, _, extent: extent - 1 - np.abs(extent - 1 - np.abs(at)),
}


class _Inner(NamedTuple):
    """The positions whose taps are all inside the image: `first` to `last` - 1.

    The reads repeat after `period` positions, `step` elements further.
    """

    first: int
    last: int
    period: int
    step: int


def _inner(spec: ConvSpec, axis: int) -> _Inner:
    reach, low, stride = spec.reach[axis], spec.sides[axis][0], spec.stride[axis]
    if spec.transposed:
        first, last, period, step = reach - 1 - low, (spec.extent[axis] - 1) * stride - low + 1, stride, 1
    else:
        first, last = -(-low // stride), (spec.spaced[axis] - reach + low) // stride + 1
        shared = gcd(stride, spec.input_dilation[axis])
        period, step = spec.input_dilation[axis] // shared, stride // shared
    first = min(max(first, 0), spec.output[axis])
    return _Inner(first, max(first, min(last, spec.output[axis])), period, step)


def _read(row: Array) -> Read:
    taps = (row != NOTHING).nonzero()[0]
    elements = row[taps]
    if not (elements[1:] > elements[:-1]).all():
        order = elements.argsort(kind="stable")
        taps, elements = taps[order], elements[order]
        distinct, starts = np.unique(elements, return_index=True)
        return Read(taps, distinct, None if len(distinct) == len(taps) else starts)
    return Read(taps, elements, None)


def runs(spec: ConvSpec, axis: int) -> list[ReadRun]:
    """Return the reads of all positions of `axis`, in order.

    >>> [run.times for run in runs(ConvSpec.parse("n1c1k1_x9_r3_p1"), 0)]
    [1, 7, 1]
    """
    inner = _inner(spec, axis)
    count = (inner.last - inner.first) // inner.period
    width = inner.period if count else 0
    first, behind = inner.first, inner.first + width * count
    listed = np.append(np.arange(first + width), np.arange(behind, spec.output[axis]))  # the reads of the other positions repeat
    reads = tuple(map(_read, table(spec, axis, listed)))
    before, after = ([ReadRun((read,), 1, 0) for read in some] for some in (reads[:first], reads[first + width :]))
    return before + [ReadRun(reads[first : first + width], count, inner.step)] * (count > 0) + after
