"""Apply a dense convolution matrix to images; the methods differ in how they build it.

The matrix of a group has a row for each (output channel, narrow position) and a
column for each (input channel, wide position): T is (G, K/G prod(narrow), C/G prod(wide)).
"""

from __future__ import annotations

from math import prod

import numpy as np

from convlaws.errors import Refusal
from convlaws.methods.base import Array, Geometry
from convlaws.methods.indices import places
from convlaws.problem.fills import FILLS

# a dense product multiplies every input, mostly by zero, so an Inf or NaN would reach every result
FILLS_OF_NUMBERS = tuple(fill for fill in FILLS if fill != "special")
MEMORY = 1 << 30  # default limit of the bytes of a dense matrix
ENTRIES = 300_000  # 2.4 MB of float64: built and multiplied in 0.1 to 2.6 ms (measured 2026-11 on one core)


def affordable(rows: int, columns: int, dtype: np.dtype, most: int = MEMORY, groups: int = 1) -> None:
    """Raise Refusal for a dense matrix that is too large, before any of it is allocated.

    Raises:
        Refusal: it needs more than `most` bytes; the message says how many.
    """
    needed = groups * rows * columns * np.dtype(dtype).itemsize
    if needed > most:
        each = f"{groups} times " if groups > 1 else ""
        size = f"{each}{rows:,} x {columns:,} of {np.dtype(dtype).name}"
        raise Refusal(f"the dense matrix, {size}, would need {in_bytes(needed)}, {in_bytes(most)} are allowed")


def in_bytes(count: int) -> str:
    """Format a number of bytes.

    >>> in_bytes(12_400_000_000), in_bytes(999)
    ('12.4 GB', '999 bytes')
    """
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"


def affordable_of(g: Geometry, dtype: np.dtype) -> None:
    """Raise Refusal if the matrices of a geometry's groups are too large."""
    rows, columns = g.rows // g.groups * prod(g.narrow), g.columns // g.groups * prod(g.wide)
    affordable(rows, columns, dtype, groups=g.groups)


def _columns(g: Geometry, a: Array) -> Array:
    """(N, channels, *space) -> (G, flattened channels and positions of a group, N)"""
    return a.reshape(len(a), g.groups, prod(a.shape[1:]) // g.groups).transpose(1, 2, 0)


def _images(found: Array, shape: tuple[int, ...]) -> Array:
    return found.transpose(2, 0, 1).reshape(shape)


def times(g: Geometry, T: Array, wide: Array) -> Array:
    """y = T x, image by image."""
    return _images(T @ _columns(g, wide), (len(wide), g.rows, *g.narrow))


def transposed_times(g: Geometry, T: Array, narrow: Array) -> Array:
    """x = T' y, image by image."""
    return _images(T.transpose(0, 2, 1) @ _columns(g, narrow), (len(narrow), g.columns, *g.wide))


def outer(g: Geometry, wide: Array, narrow: Array) -> Array:
    """The gradient of <narrow, T wide> in T: the outer product of both sides, summed over the images."""
    affordable_of(g, wide.dtype)
    return _columns(g, narrow) @ _columns(g, wide).transpose(0, 2, 1)


def picked(g: Geometry, gradient: Array) -> Array:
    """Return the weight gradient from that of T: each tap sums the entries in which it occurs."""
    at = places(g)
    split = gradient.reshape(g.groups, g.rows // g.groups, len(at), g.columns // g.groups, prod(g.wide))
    terms = split[:, :, np.arange(len(at))[:, None], :, at]  # (positions, taps, G, K/G, C/G)
    return terms.sum(axis=0).transpose(1, 2, 3, 0).reshape(g.rows, g.columns // g.groups, *g.kernel)


def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
    """Return the weight gradient, computed through the matrix."""
    return picked(g, outer(g, wide, narrow))
