"""Convolutions as a sparse matrix that has only the entries of taps.

Zeros of the kernel are stored explicitly, so that an Inf multiplied by one gives NaN as it should.
The weight gradient is a sparse product as well, in which the narrow image is the matrix.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convlaws.methods.base import Array, Geometry
from convlaws.methods.indices import frozen, grouped, kernels, places
from convlaws.problem.scope import Scope
from convlaws.targets.process_spec import WITH_SCIPY, WITH_TORCH
from convlaws.targets.registry import method

if TYPE_CHECKING:  # slow to import, and every command imports the table of methods
    from scipy.sparse import bsr_array, csr_array

_LIMIT = 2_000_000  # limit of the multiply-adds of a batch, which bound the entries of a matrix


@dataclass(frozen=True, eq=False)
class Pattern:
    """The positions of a sparse matrix's entries, row by row."""

    shape: tuple[int, int]
    starts: Array
    columns: Array

    @cached_property
    def transposed(self) -> tuple[Pattern, Array]:
        """The pattern of the transposed matrix, and the index of the value of each of its entries."""
        from scipy.sparse import csr_array

        numbered = np.arange(len(self.columns), dtype=np.int32)
        turned = csr_array((numbered, self.columns, self.starts), shape=self.shape).T.tocsr()  # a counting sort
        return Pattern(turned.shape, frozen(turned.indptr), frozen(turned.indices)), frozen(turned.data)


def _even(columns: Array, width: int) -> Pattern:
    """Return a pattern with equally many entries in each row, from (rows, entries) column numbers."""
    rows, entries = columns.shape
    starts = np.arange(0, rows * entries + 1, entries) if entries else np.zeros(rows + 1)
    return Pattern((rows, width), frozen(starts.astype(np.int32)), frozen(columns.ravel().astype(np.int32)))


@lru_cache(maxsize=16)
def _map_pattern(g: Geometry) -> Pattern:
    """(K positions, C wide positions): a result has an entry per channel and tap of its group."""
    at, size = places(g), g.columns // g.groups
    channel = np.arange(g.columns).reshape(g.groups, 1, 1, size, 1) * prod(g.wide)
    columns = np.broadcast_to(channel + at[:, None], (g.groups, g.rows // g.groups, len(at), size, at.shape[1]))
    return _even(columns.reshape(g.rows * len(at), size * at.shape[1]), g.columns * prod(g.wide))


@lru_cache(maxsize=16)
def _weigh_pattern(g: Geometry, images: int) -> Pattern:
    """(K taps, G N wide positions): a tap has an entry per image and position."""
    group = np.arange(g.groups).reshape(g.groups, 1, 1, 1, 1) * images
    image = (group + np.arange(images)[:, None]) * prod(g.wide)
    at = places(g).T[:, None]  # (taps, 1, positions)
    columns = np.broadcast_to(image + at, (g.groups, g.rows // g.groups, len(at), images, at.shape[2]))
    return _even(columns.reshape(g.rows * len(at), images * at.shape[2]), g.groups * images * prod(g.wide))


def _map_values(g: Geometry, w: Array) -> Array:
    """Return a kernel's values in the order of `_map_pattern`: the same for every position."""
    flat = w.reshape(g.rows, 1, w[0].size)
    return np.broadcast_to(flat, (g.rows, prod(g.narrow), w[0].size)).flatten()


def _weigh_values(g: Geometry, narrow: Array) -> Array:
    """Return the narrow image's values in the order of `_weigh_pattern`: the same for every tap."""
    flat = narrow.reshape(len(narrow), g.rows, 1, prod(g.narrow)).transpose(1, 2, 0, 3)
    return np.broadcast_to(flat, (g.rows, prod(g.kernel), *flat.shape[2:])).flatten()


def _by_group(g: Geometry, wide: Array) -> Array:
    """(N, C, *wide) -> (G N wide positions, C/G)"""
    size = g.columns // g.groups
    return grouped(g, wide).transpose(1, 0, 3, 2).reshape(g.groups * len(wide) * prod(g.wide), size)


def _as_kernel(g: Geometry, found: Array) -> Array:
    """(K taps, C/G) -> (K, C/G, *kernel)"""
    return (
        found.reshape(g.rows, prod(g.kernel), g.columns // g.groups)
        .swapaxes(1, 2)
        .reshape(g.rows, g.columns // g.groups, *g.kernel)
    )


def _csr_maps(product, transposed_product):
    """Return the three maps from `product(pattern, values, dense)`, sparse times dense, and the same with it transposed."""

    class Maps:
        @staticmethod
        def gather(g: Geometry, wide: Array, w: Array) -> Array:
            flat = wide.reshape(len(wide), g.columns * prod(g.wide)).T
            return product(_map_pattern(g), _map_values(g, w), flat).T.reshape(len(wide), g.rows, *g.narrow)

        @staticmethod
        def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
            flat = narrow.reshape(len(narrow), g.rows * prod(g.narrow)).T
            product = transposed_product(_map_pattern(g), _map_values(g, w), flat)
            return product.T.reshape(len(narrow), g.columns, *g.wide)

        @staticmethod
        def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
            pattern = _weigh_pattern(g, len(wide))
            return _as_kernel(g, product(pattern, _weigh_values(g, narrow), _by_group(g, wide)))

    return Maps


def _scipy(pattern: Pattern, values: Array, flat: Array) -> Array:
    return _csr(pattern, values) @ flat


def _scipy_transposed(pattern: Pattern, values: Array, flat: Array) -> Array:
    return _csr(pattern, values).T @ flat  # the same arrays, read as columns


def _csr(pattern: Pattern, values: Array) -> csr_array:
    from scipy.sparse import csr_array

    return csr_array((values, pattern.columns, pattern.starts), shape=pattern.shape)


def _torch(pattern: Pattern, values: Array, flat: Array) -> Array:
    import torch

    if not flat.size:  # MKL refuses matrices without entries
        return np.zeros((pattern.shape[0], flat.shape[1]), flat.dtype)
    starts, columns = (torch.from_numpy(np.array(a)) for a in (pattern.starts, pattern.columns))
    with warnings.catch_warnings(action="ignore"):  # "in beta state", once per process
        matrix = torch.sparse_csr_tensor(starts, columns, torch.from_numpy(values), size=pattern.shape, check_invariants=False)
    return (matrix @ torch.from_numpy(np.array(flat, order="C"))).numpy()


def _torch_transposed(pattern: Pattern, values: Array, flat: Array) -> Array:
    turned, order = pattern.transposed  # torch sorts a CSC tensor at each product, which takes a hundred times longer
    return _torch(turned, values[order], flat)


@method("sparse-csr", scope=Scope(macs=_LIMIT), can=("peer",), home=WITH_SCIPY)
class SparseCsr(_csr_maps(_scipy, _scipy_transposed)):  # type: ignore[misc]
    """A SciPy CSR matrix whose entries are the taps, times the flattened images."""


@method("sparse-torch-csr", scope=Scope(macs=_LIMIT), home=WITH_TORCH)
class SparseTorchCsr(_csr_maps(_torch, _torch_transposed)):  # type: ignore[misc]
    """A torch CSR tensor whose entries are the taps, times the flattened images."""


@lru_cache(maxsize=16)
def _block_pattern(g: Geometry) -> Pattern:
    """(G positions, G wide positions): a block is the matrix of one tap and one group's channels."""
    columns = np.arange(g.groups)[:, None, None] * prod(g.wide) + places(g)
    return _even(columns.reshape(-1, prod(g.kernel)), g.groups * prod(g.wide))


@lru_cache(maxsize=16)
def _weigh_block_pattern(g: Geometry, images: int) -> Pattern:
    """(G taps, G N wide positions): a block is the column of one position and one group's output channels."""
    p = np.arange(g.groups * images).reshape(g.groups, 1, images, 1) * prod(g.wide) + places(g).T[:, None]
    return _even(p.reshape(g.groups * prod(g.kernel), images * prod(g.narrow)), g.groups * images * prod(g.wide))


def _blocks(pattern: Pattern, values: Array) -> bsr_array:
    from scipy.sparse import bsr_array

    high, wide = values.shape[-2:]
    shape = (pattern.shape[0] * high, pattern.shape[1] * wide)
    return bsr_array((values, pattern.columns, pattern.starts), shape=shape, blocksize=(high, wide))


def _map_blocks(g: Geometry, w: Array) -> bsr_array:
    taps = kernels(g, w).transpose(0, 3, 1, 2)[:, None]  # (G, 1, taps, K/G, C/G)
    values = np.broadcast_to(taps, (g.groups, prod(g.narrow), *taps.shape[2:]))
    return _blocks(_block_pattern(g), values.reshape(-1, *taps.shape[3:]))


def _channels_last(g: Geometry, a: Array) -> Array:
    """(N, channels, *space) -> (G positions channels/G, N)"""
    return grouped(g, a).transpose(1, 3, 2, 0).reshape(prod(a.shape[1:]), len(a))


def _channels_first(g: Geometry, found: Array, channels: int, space: tuple[int, ...]) -> Array:
    split = found.reshape(g.groups, prod(space), channels // g.groups, found.shape[1])
    return split.transpose(3, 0, 2, 1).reshape(found.shape[1], channels, *space)


@method("sparse-bsr", scope=Scope(macs=_LIMIT), home=WITH_SCIPY)
class SparseBsr:
    """A SciPy BSR matrix whose blocks are the channel matrices of the taps, so that no block holds a filler."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        return _channels_first(g, _map_blocks(g, w) @ _channels_last(g, wide), g.rows, g.narrow)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        return _channels_first(g, _map_blocks(g, w).T @ _channels_last(g, narrow), g.columns, g.wide)

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        outputs, inputs = g.rows // g.groups, g.columns // g.groups
        if not len(wide):  # SciPy's BSR cannot have zero columns
            return np.zeros((g.rows, inputs, *g.kernel), wide.dtype)
        flat = grouped(g, narrow).transpose(1, 0, 3, 2)[:, None]  # (G, 1, N, positions, K/G)
        values = np.broadcast_to(flat, (g.groups, prod(g.kernel), *flat.shape[2:])).reshape(-1, outputs, 1)
        product = _blocks(_weigh_block_pattern(g, len(wide)), values) @ _by_group(g, wide)  # (G taps K/G, C/G)
        split = product.reshape(g.groups, prod(g.kernel), outputs, inputs).transpose(0, 2, 3, 1)
        return split.reshape(g.rows, inputs, *g.kernel)
