"""Convolutions as a dense matrix: of Toeplitz blocks, or of the kernel padded row by row."""

from __future__ import annotations

from functools import lru_cache, partial
from math import prod

import numpy as np

from convlaws.methods import dense
from convlaws.methods.base import Array, Geometry
from convlaws.methods.indices import frozen, kernels, windows
from convlaws.problem.scope import Scope
from convlaws.targets.process_spec import WITH_SCIPY
from convlaws.targets.registry import method

_scope = partial(Scope, matrix=dense.ENTRIES, fills=dense.FILLS_OF_NUMBERS)


def blocked_toeplitz(g: Geometry, kernel: Array, axis: int = 0) -> Array:
    """(prod(narrow), prod(wide)) of the axes from `axis` on: Toeplitz blocks in a Toeplitz pattern.

    With a stride it has only every stride-th row of blocks.
    """
    if axis == g.ndim - 1:
        return _line(g, kernel)
    blocks = [blocked_toeplitz(g, part, axis + 1) for part in kernel]
    height, width = blocks[0].shape
    matrix = np.zeros((g.narrow[axis], height, g.wide[axis], width), kernel.dtype)
    row = np.arange(g.narrow[axis])
    for tap, block in enumerate(blocks):
        matrix[row, :, row * g.stride[axis] + tap * g.dilation[axis]] = block
    return matrix.reshape(g.narrow[axis] * height, g.wide[axis] * width)


def _line(g: Geometry, kernel: Array) -> Array:
    """Return the Toeplitz matrix of one line: its first row is the dilated kernel, then zeros."""
    from scipy.linalg import toeplitz

    first = np.zeros(g.wide[-1], kernel.dtype)
    first[: g.reach[-1] : g.dilation[-1]] = kernel
    column = np.zeros(g.wide[-1] - g.reach[-1] + 1, kernel.dtype)
    column[0] = kernel[0]
    return toeplitz(column, first)[:: g.stride[-1]][: g.narrow[-1]]


def _planes(g: Geometry):
    """Return (output channel, input channel, input channel in its group) of every kernel plane."""
    dense.affordable(prod(g.narrow), prod(g.wide), np.dtype(float))
    size = g.columns // g.groups
    return [(k, k * g.groups // g.rows * size + c, c) for k in range(g.rows) for c in range(size)]


class _ByPlanes:
    """The maps that use one Toeplitz matrix per pair of channels."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        x = wide.reshape(len(wide), g.columns, prod(g.wide))
        y = np.zeros((len(wide), g.rows, prod(g.narrow)), wide.dtype)
        for k, c, inner in _planes(g):
            y[:, k] += x[:, c] @ blocked_toeplitz(g, w[k, inner]).T
        return y.reshape(len(wide), g.rows, *g.narrow)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        y = narrow.reshape(len(narrow), g.rows, prod(g.narrow))
        x = np.zeros((len(narrow), g.columns, prod(g.wide)), narrow.dtype)
        for k, c, inner in _planes(g):
            x[:, c] += y[:, k] @ blocked_toeplitz(g, w[k, inner])
        return x.reshape(len(narrow), g.columns, *g.wide)

    weigh = staticmethod(dense.weigh)


@method("toeplitz-one-channel", scope=_scope(channels=(1, 1)), home=WITH_SCIPY)
class ToeplitzOneChannel(_ByPlanes):
    """The blocked Toeplitz matrix of one kernel plane; a group is one input and one output channel."""


@method("toeplitz-channels", scope=_scope(channels=(8, 8)), home=WITH_SCIPY)
class ToeplitzChannels(_ByPlanes):
    """A blocked Toeplitz matrix for each pair of channels, summed over the input channels."""


@lru_cache(maxsize=32)
def _labels(g: Geometry) -> Array:
    """Return the tap, counted from 1, of each entry of a blocked Toeplitz matrix; 0 for entries without a tap."""
    taps = np.arange(1, prod(g.kernel) + 1).reshape(g.kernel)
    return frozen(np.ascontiguousarray(blocked_toeplitz(g, taps)))


def _whole(g: Geometry, w: Array) -> Array:
    """(G, K/G prod(narrow), C/G prod(wide)): the blocks of all channels side by side."""
    dense.affordable_of(g, w.dtype)
    parts = kernels(g, w)
    padded = np.zeros((*parts.shape[:-1], parts.shape[-1] + 1), w.dtype)
    padded[..., 1:] = parts
    blocks = padded.take(_labels(g), axis=-1).swapaxes(2, 3)  # (G, K/G, positions, C/G, wide positions)
    return blocks.reshape(g.groups, blocks.shape[1] * blocks.shape[2], blocks.shape[3] * blocks.shape[4])


@method("toeplitz", scope=_scope(), home=WITH_SCIPY)
class Toeplitz:
    """One matrix a group, of Toeplitz blocks for all its channels: flatten, multiply, reshape."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        return dense.times(g, _whole(g, w), wide)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        return dense.transposed_times(g, _whole(g, w), narrow)

    weigh = staticmethod(dense.weigh)


def kernel_matrix(g: Geometry, w: Array) -> Array:
    """(G, K/G prod(narrow), C/G prod(wide)): each row is the kernel, padded to the image and flattened."""
    dense.affordable_of(g, w.dtype)
    outputs, inputs = g.rows // g.groups, g.columns // g.groups
    parts = w.reshape(g.groups, outputs, inputs, *g.kernel)
    matrix = np.zeros((g.groups, outputs, prod(g.narrow), inputs, *g.wide), w.dtype)
    for row, window in enumerate(windows(g)):
        matrix[(slice(None), slice(None), row, slice(None), *window)] = parts
    return matrix.reshape(g.groups, outputs * prod(g.narrow), inputs * prod(g.wide))


@method("kernel-matrix", scope=_scope())
class KernelMatrix:
    """A matrix whose rows are the kernel padded to the image and flattened, one row a result."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        return dense.times(g, kernel_matrix(g, w), wide)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        return dense.transposed_times(g, kernel_matrix(g, w), narrow)

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        shape = (g.groups, g.rows // g.groups, prod(g.narrow), g.columns // g.groups, *g.wide)
        gradient = dense.outer(g, wide, narrow).reshape(shape)
        weights = np.zeros((*shape[:2], shape[3], *g.kernel), wide.dtype)
        for row, window in enumerate(windows(g)):
            weights += gradient[(slice(None), slice(None), row, slice(None), *window)]
        return weights.reshape(g.rows, g.columns // g.groups, *g.kernel)
