"""The matrix of a convolution as a public function: as SciPy's CSR, its three arrays written once, or dense.

One flattened image times the matrix is its flattened result: y.ravel() = A @ x.ravel() + bias, and a
batch is one column per image. The gradient of x is A.T @ gy.ravel(). Every spec has a matrix: stride, each
padding mode, cropping, dilation of kernel and input, groups, transposed, any number of axes.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convlaws.errors import UsageError
from convlaws.methods.base import Array
from convlaws.methods.dense import MEMORY, affordable
from convlaws.methods.indices import frozen
from convlaws.methods.reads import Read, runs
from convlaws.problem.spec import ConvSpec

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BLOCK = 16  # number of entries from which writing a block to all its places is faster than doubling it first


def sides(spec: ConvSpec) -> tuple[int, int]:
    """Return the shape of the matrix: (elements of one result, elements of one image)."""
    return spec.out_channels * prod(spec.output), spec.in_channels * prod(spec.extent)


def rows_first(spec: ConvSpec, w: Array) -> Array:
    """Return w as (K, C/G, *kernel), with the channels of y first for a transposed convolution too.

    Raises:
        UsageError: w has another shape.
    """
    if np.shape(w) != spec.w_shape:
        raise UsageError(f"the kernel's shape is {np.shape(w)}, {spec} needs {spec.w_shape}")
    w = np.asarray(w)
    if not spec.transposed:
        return w
    split = w.reshape(spec.groups, -1, *w.shape[1:]).swapaxes(1, 2)  # (G, K/G, C/G, ...)
    return split.reshape(spec.out_channels, spec.in_channels // spec.groups, *spec.kernel)


def sparse_matrix(spec: ConvSpec, w: Array) -> csr_array:
    """Return the matrix of one image, (K prod(output), C prod(extent)), of w's dtype, with sorted indices and no duplicates.

    Zeros of the kernel are stored; what lies over zero padding is not. Where a padding mode lets several taps read
    one element, their weights are summed. Memory beyond the result: a few kernels, and the chunk that is copied.

    Raises:
        UsageError: w has not the shape that the spec says.

    >>> sparse_matrix(ConvSpec.parse("n1c1k1_x3_r2_p1"), np.array([[[5, 7]]])).toarray()
    array([[7, 0, 0],
           [5, 7, 0],
           [0, 5, 7],
           [0, 0, 5]])
    """
    from scipy.sparse import csr_array

    values = rows_first(spec, w)
    layout = _layout(spec)
    data, indices = np.empty((spec.out_channels, layout.total), values.dtype), np.empty(layout.entries, layout.index)
    layout.write(data, indices[: layout.total], values)
    _repeat(indices, 0, layout.total, spec.out_channels // spec.groups, 0)
    _repeat(indices, 0, len(indices) // spec.groups, spec.groups, layout.shape[1] // spec.groups)
    matrix = csr_array((data.reshape(-1), indices, layout.starts()), shape=layout.shape)
    matrix.has_canonical_format = True  # so that SciPy does not check it
    return matrix


def dense_matrix(spec: ConvSpec, w: Array, most: int = MEMORY) -> Array:
    """Return the same matrix with all its zeros; of Toeplitz blocks, if stride and padding allow it.

    Raises:
        Refusal: it needs more than `most` bytes; nothing has been allocated.
        UsageError: w has not the shape that the spec says.
    """
    affordable(*sides(spec), np.asarray(w).dtype, most)
    return sparse_matrix(spec, w).toarray()


class _Layout:
    """The positions of the entries of a spec's matrix: the rows of one output channel, which are the same for all."""

    def __init__(self, spec: ConvSpec):
        self.shape = sides(spec)
        self.channels, self.rows = spec.in_channels // spec.groups, spec.out_channels
        self.extent, self.runs = spec.extent, [runs(spec, axis) for axis in range(spec.ndim)]
        self.sizes = [sum(run.times * sum(len(r.elements) for r in run.reads) for run in axis) for axis in self.runs]
        self.total = self.channels * prod(self.sizes)
        self.entries = self.total * spec.out_channels
        self.index = np.int32 if max(self.entries, *self.shape) < 2**31 else np.int64

    @cached_property
    def ends(self) -> Array:
        """The number of entries up to the end of each row of one output channel."""
        counts = np.full(1, self.channels, self.index)
        for axis in self.runs:
            each = [np.tile([len(r.elements) for r in run.reads], run.times) for run in axis]
            counts = np.multiply.outer(counts, np.concatenate([*each, []]).astype(self.index)).ravel()
        return frozen(np.cumsum(counts, dtype=self.index))

    def starts(self) -> Array:
        """Return the index of the first entry of each row, followed by the number of entries."""
        pointers = np.zeros(self.rows * len(self.ends) + 1, self.index)
        first = np.arange(self.rows, dtype=self.index)[:, None] * self.total
        np.add(first, self.ends, out=pointers[1:].reshape(self.rows, -1))
        return pointers

    def write(self, data: Array, indices: Array, values: Array) -> None:
        """Fill `data` (K, total) and `indices` (total) from `values` (K, C/G, *kernel)."""
        columns = np.arange(self.channels, dtype=self.index) * prod(self.extent)
        if self.total:
            self._axis(data, indices, 0, 0, values, columns)

    def _axis(self, data: Array, indices: Array, axis: int, at: int, values: Array, columns: Array) -> int:
        """Write the positions of `axis` and later axes from entry `at` on; return the index after the last entry."""
        if axis == len(self.runs):
            indices[at : at + len(columns)] = columns
            data[:, at : at + len(columns)] = values.reshape(len(values), -1)
            return at + len(columns)
        size = prod(self.extent[axis + 1 :])
        for run in self.runs[axis]:
            start = at
            for read in run.reads:
                reached = (columns[:, None] + (read.elements * size).astype(self.index)).ravel()
                at = self._axis(data, indices, axis + 1, at, _read_by(values, read, axis + 2), reached)
            _repeat(data, start, at - start, run.times, 0)
            _repeat(indices, start, at - start, run.times, run.step * size)
            at = start + (at - start) * run.times
        return at


@lru_cache(maxsize=64)
def _layout(spec: ConvSpec) -> _Layout:
    return _Layout(spec)


def _read_by(values: Array, read: Read, axis: int) -> Array:
    """Return the weights of the taps of one position; those that read the same element are summed."""
    if len(read.taps) == values.shape[axis] and (read.taps[1:] > read.taps[:-1]).all():
        weights = values
    else:
        weights = values.take(read.taps, axis)
    return weights if read.starts is None else np.add.reduceat(weights, read.starts, axis, dtype=weights.dtype)


def _repeat(out: Array, start: int, size: int, count: int, step: int) -> None:
    """Repeat the `size` entries from `start` on until there are `count` copies, each `step` more than the previous one."""
    done, total = size, size * count
    while done < total:
        block = min(done, total - done)
        times = (total - done) // block if block >= BLOCK else 1
        source = out[..., None, start : start + block]
        if out.ndim > 1:  # the rows are interleaved: NumPy would copy all that is written to guard against overlap
            source = source.copy()
        target = out[..., start + done : start + done + times * block].reshape(*out.shape[:-1], times, block)
        if step:
            np.add(source, (done + block * np.arange(times, dtype=out.dtype)[:, None]) // size * step, out=target)
        else:
            target[...] = source
        done += times * block
