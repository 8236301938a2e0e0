"""The oracle's three linear maps: one loop over the taps of a kernel.

The maps act on a `wide` array (input of a convolution, already padded) and a
`narrow` one (its output); a transposed convolution is the same three maps with
the two exchanged:

    gather   narrow[o] = sum_t wide[o stride + t dilation] w[t]
    scatter  wide[o stride + t dilation] += narrow[o] w[t]
    weigh    w[t] = sum_o wide[o stride + t dilation] narrow[o]

All take stacks: a leading axis of independent problems of the same sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from convlaws.spec import ConvSpec

Array = np.ndarray


def _taps(spec: ConvSpec, narrow: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Each tap with the slice of the wide array that it touches."""
    for tap in product(*map(range, spec.kernel)):
        starts = [t * d for t, d in zip(tap, spec.dilation, strict=True)]
        ends = [a + s * (n - 1) + 1 if n else a for a, s, n in zip(starts, spec.stride, narrow, strict=True)]
        yield tap, tuple(map(slice, starts, ends, spec.stride))


def _grouped(spec: ConvSpec, a: Array) -> Array:
    """(3, N, channels, *space) -> (3, N, groups, channels a group, positions)"""
    channels = a.shape[2] // spec.groups
    return a.reshape(*a.shape[:2], spec.groups, channels, int(np.prod(a.shape[3:], dtype=np.int64)))


def _tap_matrix(spec: ConvSpec, w: Array, tap: tuple[int, ...]) -> Array:
    """(3, 1, groups, rows a group, columns) of one tap"""
    at = w[(..., *tap)]
    return at.reshape(len(at), 1, spec.groups, at.shape[1] // spec.groups, at.shape[2])


def gather(spec: ConvSpec, wide: Array, w: Array, narrow: tuple[int, ...]) -> Array:
    """narrow[o] = sum_t wide[o stride + t dilation] w[t]; stacks of (N, columns, *) -> (N, rows, *)."""
    total: Array | int = 0
    for tap, slices in _taps(spec, narrow):
        total = total + _tap_matrix(spec, w, tap) @ _grouped(spec, wide[(..., *slices)])
    return np.asarray(total).reshape(*wide.shape[:2], w.shape[1], *narrow)


def scatter(spec: ConvSpec, narrow: Array, w: Array, wide: tuple[int, ...]) -> Array:
    """The adjoint of `gather` in its image; stacks of (N, rows, *) -> (N, columns, *wide)."""
    channels = w.shape[2] * spec.groups
    total = np.zeros((*narrow.shape[:2], channels, *wide), np.result_type(narrow, w))
    flat = _grouped(spec, narrow)
    for tap, slices in _taps(spec, narrow.shape[3:]):
        part = total[(..., *slices)]
        part += (np.swapaxes(_tap_matrix(spec, w, tap), -1, -2) @ flat).reshape(part.shape)
    return total


def weigh(spec: ConvSpec, wide: Array, narrow: Array) -> Array:
    """The adjoint of `gather` in its kernel; stacks -> (rows, columns a group, *kernel)."""
    rows, columns = narrow.shape[2], wide.shape[2] // spec.groups
    total = np.zeros((len(wide), rows, columns, *spec.kernel), np.result_type(narrow, wide))
    flat = _grouped(spec, narrow)
    for tap, slices in _taps(spec, narrow.shape[3:]):
        part = flat @ np.swapaxes(_grouped(spec, wide[(..., *slices)]), -1, -2)
        total[(..., *tap)] = part.sum(axis=1).reshape(len(wide), rows, columns)
    return total
