"""Index arithmetic of taps and windows, shared by the methods and computed once per geometry.

The arrays are read-only, since they are shared by all calls with the same geometry.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod

import numpy as np

from convlaws.methods.base import Array, Geometry

Slices = tuple[slice, ...]


def frozen(a: Array) -> Array:
    """Make `a` read-only and return it."""
    a.setflags(write=False)
    return a


@lru_cache(maxsize=256)
def places(g: Geometry) -> Array:
    """(positions, taps): the index in a flattened wide image of the element that a tap of a window reads."""
    flat = np.zeros((1, 1), np.intp)
    for n, wide, r, s, d in zip(g.narrow, g.wide, g.kernel, g.stride, g.dilation, strict=True):
        axis = np.arange(n)[:, None] * s + np.arange(r) * d
        flat = (flat[:, None, :, None] * wide + axis[:, None, :]).reshape(len(flat) * n, -1)
    return frozen(flat)


@lru_cache(maxsize=256)
def windows(g: Geometry) -> tuple[Slices, ...]:
    """Return the slices of the wide image under the window of each narrow position, in C order."""
    axes = [
        [slice(o * s, o * s + reach, d) for o in range(n)]
        for n, s, d, reach in zip(g.narrow, g.stride, g.dilation, g.reach, strict=True)
    ]
    return tuple(product(*axes))


@lru_cache(maxsize=256)
def steps(g: Geometry) -> tuple[Slices, ...]:
    """Return the slices of the wide image that each tap reads over all positions, in C order."""
    axes = [
        [slice(t * d, t * d + ((n - 1) * s + 1 if n else 0), s) for t in range(r)]
        for n, r, s, d in zip(g.narrow, g.kernel, g.stride, g.dilation, strict=True)
    ]
    return tuple(product(*axes))


def grouped(g: Geometry, a: Array) -> Array:
    """(N, channels, *space) -> (N, G, channels per group, positions)"""
    return a.reshape(len(a), g.groups, a.shape[1] // g.groups, prod(a.shape[2:]))


def kernels(g: Geometry, w: Array) -> Array:
    """(K, C/G, *kernel) -> (G, K/G, C/G, taps)"""
    return w.reshape(g.groups, g.rows // g.groups, g.columns // g.groups, prod(g.kernel))


def stretched(g: Geometry, a: Array, step: tuple[int, ...]) -> Array:
    """Return `a` with its spatial elements `step` apart, on zeros of the wide extents."""
    spread = np.zeros((*a.shape[: -g.ndim], *g.wide), a.dtype)
    spread[(..., *(slice(0, (n - 1) * s + 1, s) for n, s in zip(a.shape[-g.ndim :], step, strict=True)))] = a
    return spread
