"""Convolutions on a circle: M(a) is the circulant matrix of a kernel, V(M) its first column."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np

from convlaws.methods import dense
from convlaws.methods.base import Array, Geometry
from convlaws.methods.indices import frozen, grouped, stretched
from convlaws.problem.scope import Scope
from convlaws.targets.registry import method


def _differences(extents: tuple[int, ...], chosen: tuple[Array, ...]) -> Array:
    """(size, columns): the flat index of i - j on a circle of each axis, for the chosen columns j."""
    flat = np.zeros((1, 1), np.intp)
    for n, columns in zip(extents, chosen, strict=True):
        axis = (np.arange(n)[:, None] - columns) % n
        flat = (flat[:, None, :, None] * n + axis[:, None, :]).reshape(len(flat) * n, -1)
    return flat


def circulant_matrix(kernel: Array, extents: tuple[int, ...]) -> Array:
    """M(a) of (prod(extents), prod(extents)): block circulant, M(a) x is the circular convolution a * x.

    Its first column is the kernel on zeros of `extents`; a longer kernel is wrapped around.

    >>> circulant_matrix(np.array([1, 2]), (3,))
    array([[1, 0, 2],
           [2, 1, 0],
           [0, 2, 1]])
    """
    column = np.zeros(extents, kernel.dtype)
    np.add.at(column, np.ix_(*(np.arange(r) % n for r, n in zip(kernel.shape, extents, strict=True))), kernel)
    return column.ravel()[_differences(extents, tuple(map(np.arange, extents)))]


def first_column(matrix: Array) -> Array:
    """Return V(M), the inverse of M(a): the kernel on zeros, flattened.

    >>> first_column(circulant_matrix(np.array([1, 2]), (3,)))
    array([1, 2, 0])
    """
    return matrix[:, 0].copy()


@lru_cache(maxsize=32)
def _selected(g: Geometry, of: str) -> Array:
    """Return (chosen, size): the requested rows of the transposed circulant matrix.

    These are the rows of the windows' first elements, or those of the taps: no chosen row wraps around.
    """
    counts, step = {"windows": (g.narrow, g.stride), "taps": (g.kernel, g.dilation)}[of]
    chosen = tuple(np.arange(n) * s for n, s in zip(counts, step, strict=True))
    return frozen(np.ascontiguousarray(_differences(g.wide, chosen).T))


def _matrix(g: Geometry, w: Array) -> Array:
    """Return (G, K/G prod(narrow), C/G prod(wide)): the valid rows of M(w)', which correlates."""
    dense.affordable_of(g, w.dtype)
    outputs, inputs, size = g.rows // g.groups, g.columns // g.groups, prod(g.wide)
    columns = stretched(g, w, g.dilation).reshape(g.groups, outputs, inputs, size)
    rows = columns.take(_selected(g, "windows"), axis=-1).swapaxes(2, 3)
    return rows.reshape(g.groups, outputs * prod(g.narrow), inputs * size)


@method("circulant", scope=Scope(matrix=dense.ENTRIES, fills=dense.FILLS_OF_NUMBERS))
class Circulant:
    """The block circulant matrix of the padded extents, of which the rows are kept that do not wind around."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        return dense.times(g, _matrix(g, w), wide)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        return dense.transposed_times(g, _matrix(g, w), narrow)

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        """Use the circulant matrix of the narrow image, with one row per tap."""
        images, size, taps = len(wide), prod(g.wide), prod(g.kernel)
        dense.affordable(g.rows // g.groups * taps, images * size, wide.dtype, dense.MEMORY // 2, g.groups)  # two copies
        spread = grouped(g, stretched(g, narrow, g.stride)).take(_selected(g, "taps"), axis=-1)
        matrix = spread.transpose(1, 2, 3, 0, 4).reshape(g.groups, g.rows // g.groups * taps, images * size)
        flat = grouped(g, wide).transpose(1, 0, 3, 2).reshape(g.groups, images * size, g.columns // g.groups)
        product = (matrix @ flat).reshape(g.rows, taps, g.columns // g.groups).swapaxes(1, 2)
        return product.reshape(g.rows, g.columns // g.groups, *g.kernel)
