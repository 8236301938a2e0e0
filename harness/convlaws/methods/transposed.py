"""Convolutions computed through their transpose: by the matrix of the scatter map, and by scattering."""

from __future__ import annotations

from math import prod

import numpy as np

from convlaws.methods import dense
from convlaws.methods.base import Array, Geometry
from convlaws.methods.indices import grouped, kernels, places, steps
from convlaws.problem.scope import WHOLE, Scope
from convlaws.targets.registry import method


def scatter_matrix(g: Geometry, w: Array) -> Array:
    """(G, C/G prod(wide), K/G prod(narrow)): each column is the window that one element scatters to."""
    dense.affordable_of(g, w.dtype)
    at = places(g)
    outputs, inputs = g.rows // g.groups, g.columns // g.groups
    matrix = np.zeros((g.groups, inputs, prod(g.wide), outputs, len(at)), w.dtype)
    # (taps, G, C/G, K/G), the same for every position
    matrix[:, :, at, :, np.arange(len(at))[:, None]] = kernels(g, w).transpose(3, 0, 2, 1)
    return matrix.reshape(g.groups, inputs * prod(g.wide), outputs * len(at))


@method("matrix-transpose", scope=Scope(matrix=dense.ENTRIES, fills=dense.FILLS_OF_NUMBERS))
class MatrixTranspose:
    """The matrix of the transposed convolution, built directly; its transpose is the convolution's."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        return dense.times(g, scatter_matrix(g, w).swapaxes(1, 2), wide)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        return dense.transposed_times(g, scatter_matrix(g, w).swapaxes(1, 2), narrow)

    weigh = staticmethod(dense.weigh)


def _tap_matrices(g: Geometry, w: Array) -> Array:
    """(taps, G, K/G, C/G)"""
    return np.ascontiguousarray(kernels(g, w).transpose(3, 0, 1, 2))


@method("scatter", scope=WHOLE, can=("peer",))
class Scatter:
    """Every element adds its window of kernel values, one tap at a time for all elements."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        y = np.zeros((len(wide), g.groups, g.rows // g.groups, prod(g.narrow)), wide.dtype)
        for matrix, step in zip(_tap_matrices(g, w), steps(g), strict=True):
            y += matrix @ grouped(g, wide[(..., *step)])
        return y.reshape(len(wide), g.rows, *g.narrow)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        x = np.zeros((len(narrow), g.columns, *g.wide), narrow.dtype)
        flat = grouped(g, narrow)
        for matrix, step in zip(_tap_matrices(g, w), steps(g), strict=True):
            part = x[(..., *step)]
            part += (matrix.swapaxes(1, 2) @ flat).reshape(part.shape)
        return x

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        taps = np.empty((len(steps(g)), g.groups, g.rows // g.groups, g.columns // g.groups), wide.dtype)
        flat = grouped(g, narrow)
        for tap, step in enumerate(steps(g)):
            np.sum(flat @ grouped(g, wide[(..., *step)]).swapaxes(2, 3), axis=0, out=taps[tap])
        return taps.transpose(1, 2, 3, 0).reshape(g.rows, g.columns // g.groups, *g.kernel)
