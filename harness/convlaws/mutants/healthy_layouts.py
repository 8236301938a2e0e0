"""Right convolutions that compute in pieces of the output, on other layouts, or begin with the bias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from convlaws.methods.base import Array, Geometry, run
from convlaws.methods.indices import steps
from convlaws.methods.unfold import Im2col
from convlaws.mutants.registry import healthy, right

TILE = 3  # results of a tile along the last axis


def _tiles(g: Geometry) -> Iterator[tuple[Geometry, slice, slice]]:
    """Each tile of the output: its geometry, and where it lies in the narrow and the wide image's last axis."""
    for start in range(0, g.narrow[-1], TILE):
        size = min(TILE, g.narrow[-1] - start)
        low, reach = start * g.stride[-1], (size - 1) * g.stride[-1] + g.reach[-1]
        part = replace(g, wide=(*g.wide[:-1], reach), narrow=(*g.narrow[:-1], size))
        yield part, slice(start, start + size), slice(low, low + reach)


class Tiled:
    """Tiles of the output, each a convolution of its own."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        y = np.zeros((len(wide), g.rows, *g.narrow), wide.dtype)
        for part, inner, outer in _tiles(g):
            y[..., inner] = Im2col.gather(part, np.ascontiguousarray(wide[..., outer]), w)
        return y

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        x = np.zeros((len(narrow), g.columns, *g.wide), narrow.dtype)
        for part, inner, outer in _tiles(g):
            x[..., outer] += Im2col.scatter(part, np.ascontiguousarray(narrow[..., inner]), w)
        return x

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        w = np.zeros((g.rows, g.columns // g.groups, *g.kernel), wide.dtype)
        for part, inner, outer in _tiles(g):
            w += Im2col.weigh(part, np.ascontiguousarray(wide[..., outer]), np.ascontiguousarray(narrow[..., inner]))
        return w


@healthy()
def tiled(spec, op, a):
    """Computes tiles of three results along a row; gradients add them up."""
    return run(Tiled, spec, op, a)


class ChannelsLast:
    """One matrix product a tap, on arrays whose channels are last."""

    @staticmethod
    def _last(g: Geometry, a: Array) -> Array:
        """(N, channels, *space) -> (N, *space, G, channels a group)"""
        moved = np.ascontiguousarray(np.moveaxis(a, 1, -1))
        return moved.reshape(*moved.shape[:-1], g.groups, moved.shape[-1] // g.groups)

    @staticmethod
    def _taps(g: Geometry, w: Array) -> Array:
        """(taps, G, C/G, K/G)"""
        flat = w.reshape(g.groups, g.rows // g.groups, g.columns // g.groups, len(steps(g)))
        return np.ascontiguousarray(flat.transpose(3, 0, 2, 1))

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        y = np.zeros((len(wide), *g.narrow, g.groups, 1, g.rows // g.groups), wide.dtype)
        for step, tap in zip(steps(g), ChannelsLast._taps(g, w), strict=True):
            y += ChannelsLast._last(g, wide[(..., *step)])[..., None, :] @ tap
        return np.moveaxis(y.reshape(len(wide), *g.narrow, g.rows), -1, 1)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        last = ChannelsLast._last(g, narrow)[..., None, :]
        x = np.zeros((len(narrow), g.columns, *g.wide), narrow.dtype)
        for step, tap in zip(steps(g), ChannelsLast._taps(g, w), strict=True):
            part = last @ tap.swapaxes(-1, -2)
            x[(..., *step)] += np.moveaxis(part.reshape(len(narrow), *g.narrow, g.columns), -1, 1)
        return x

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        places = len(wide) * prod(g.narrow)
        last = ChannelsLast._last(g, narrow).reshape(places, g.groups, g.rows // g.groups)
        taps = [
            _tap(ChannelsLast._last(g, wide[(..., *step)]).reshape(places, g.groups, g.columns // g.groups), last)
            for step in steps(g)
        ]
        return np.stack(taps, axis=-1).reshape(g.rows, g.columns // g.groups, *g.kernel)


def _tap(wide: Array, narrow: Array) -> Array:
    """(places, G, C/G), (places, G, K/G) -> (K, C/G)"""
    return (narrow.transpose(1, 2, 0) @ wide.transpose(1, 0, 2)).reshape(narrow.shape[1] * narrow.shape[2], wide.shape[2])


@healthy()
def channels_last_inside(spec, op, a):
    """Computes tap by tap with the channels last."""
    return run(ChannelsLast, spec, op, a)


@healthy()
def fortran_order(spec, op, a):
    """Works on copies in Fortran's order, and returns such a one."""
    return np.asfortranarray(right(spec, op, {role: np.asfortranarray(v) for role, v in a.items()}))


@healthy()
def part_of_a_larger_array(spec, op, a):
    """Returns a part of a larger array, every second element of its last axis."""
    y = right(spec, op, a)
    room = np.full((*y.shape[:-1], 2 * y.shape[-1] + 1), np.nan).astype(y.dtype)
    room[..., 1::2] = y
    return room[..., 1::2]


@healthy()
def bias_first(spec, op, a):
    """Begins each sum of a convolution in one group with the bias."""
    if "b" not in a or spec.transposed or spec.groups > 1:
        return right(spec, op, a)

    class Started(Tiled):
        @staticmethod
        def gather(g: Geometry, wide: Array, w: Array) -> Array:
            y = np.zeros((len(wide), g.rows, *g.narrow), wide.dtype) + a["b"].astype(wide.dtype).reshape(-1, *(1,) * g.ndim)
            for step, tap in zip(steps(g), np.moveaxis(w.reshape(*w.shape[:2], -1), -1, 0), strict=True):
                y += (tap @ wide[(..., *step)].reshape(len(wide), g.columns, prod(g.narrow))).reshape(y.shape)
            return y

    return run(Started, spec, op, {role: v for role, v in a.items() if role != "b"})
