"""Convolutions by Winograd's minimal filtering: F(m x m, 3x3) with (m + 2)^2 products per tile, for m = 2, 4, 6."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np

from convlaws.methods.base import Array, Geometry
from convlaws.methods.indices import frozen
from convlaws.oracle.bound_terms import WINOGRAD
from convlaws.problem.fills import FILLS
from convlaws.problem.scope import Scope
from convlaws.targets.registry import method

_scope = partial(Scope, ndim=(2,), ops=("fprop", "dgrad", "bgrad"), kernel=(3,), stride=(1,), dilation=(1,))


def _fills_without(*left_out: str) -> tuple[str, ...]:
    return tuple(fill for fill in FILLS if fill not in left_out)


@lru_cache(maxsize=16)
def _matrices(m: int, dtype: np.dtype) -> tuple[Array, Array, Array]:
    """Return B', G and A' in the computing dtype."""
    B, G, A = (frozen(matrix.astype(dtype)) for matrix in WINOGRAD[m])
    return B, G, A


def _tiles(image: Array, m: int) -> Array:
    """(N, C, H, W) -> (N, C, tiles, tiles, m + 2, m + 2): tiles overlap by two, the last ones are padded with zeros."""
    counts = [-(-(n - 2) // m) for n in image.shape[2:]]
    grown = np.zeros((*image.shape[:2], *(count * m + 2 for count in counts)), image.dtype)
    grown[:, :, : image.shape[2], : image.shape[3]] = image
    return np.lib.stride_tricks.sliding_window_view(grown, (m + 2, m + 2), axis=(2, 3))[:, :, ::m, ::m]


def filtered(m: int, groups: int, image: Array, kernel: Array) -> Array:
    """(N, C, H, W), (K, C/G, 3, 3) -> (N, K, H - 2, W - 2), tiles of m x m results from the first one on.

    Y = A' [sum_c (G g G') o (B' d B)] A

    References:
        Lavin and Gray, arXiv:1509.09308.
    """
    B, G, A = _matrices(m, image.dtype)
    d = _tiles(image, m)
    images, channels, down, across, size, _ = d.shape
    V = (B @ d @ B.T).reshape(images, groups, channels // groups, down * across, size * size)
    U = (G @ kernel @ G.T).reshape(groups, len(kernel) // groups, channels // groups, size * size)
    # one matrix product per point of the tile: (points, G, K/G, C/G) by (N, points, G, C/G, tiles)
    M = np.ascontiguousarray(U.transpose(3, 0, 1, 2)) @ V.transpose(0, 4, 1, 2, 3)
    M = M.reshape(images, size, size, len(kernel), down, across).transpose(0, 3, 4, 5, 1, 2)
    Y = (A @ M @ A.T).swapaxes(3, 4).reshape(images, len(kernel), down * m, across * m)
    return Y[:, :, : image.shape[2] - 2, : image.shape[3] - 2]


def _exchanged(g: Geometry, w: Array) -> Array:
    """(K, C/G, 3, 3) -> (C, K/G, 3, 3), flipped: the kernel of the adjoint."""
    flipped = w[..., ::-1, ::-1].reshape(g.groups, g.rows // g.groups, *w.shape[1:])
    return flipped.swapaxes(1, 2).reshape(g.columns, g.rows // g.groups, *w.shape[2:])


def _winograd_maps(m: int):
    """Return the two maps of an image: the second filters the image with a border of two."""

    class Maps:
        @staticmethod
        def gather(g: Geometry, wide: Array, w: Array) -> Array:
            return filtered(m, g.groups, wide, w)

        @staticmethod
        def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
            bordered = np.zeros((*narrow.shape[:2], *(n + 4 for n in narrow.shape[2:])), narrow.dtype)
            bordered[:, :, 2:-2, 2:-2] = narrow
            return filtered(m, g.groups, bordered, _exchanged(g, w))

    return Maps


# products near the largest number overflow within a tile where the result would not
@method("winograd2", scope=_scope(fills=_fills_without("huge")), contract="winograd2")
class Winograd2(_winograd_maps(2)):  # type: ignore[misc]
    """Winograd F(2x2, 3x3): tiles of 2 x 2 results from 16 products instead of 36."""


# here A amplifies the underflow of a product by up to 361, more than the contract allows for
@method("winograd4", scope=_scope(fills=_fills_without("huge", "tiny")), contract="winograd4")
class Winograd4(_winograd_maps(4)):  # type: ignore[misc]
    """Winograd F(4x4, 3x3): tiles of 4 x 4 results from 36 products instead of 144."""


@method("winograd6", scope=_scope(fills=_fills_without("huge", "tiny")), contract="winograd6")
class Winograd6(_winograd_maps(6)):  # type: ignore[misc]
    """Winograd F(6x6, 3x3): tiles of 6 x 6 results from 64 products instead of 324."""
