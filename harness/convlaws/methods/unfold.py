"""Convolutions as a product with the matrix of windows: by torch's unfold, window by window, and without a loop."""

from __future__ import annotations

from math import prod

import numpy as np

from convlaws.methods.base import Array, Geometry
from convlaws.methods.indices import grouped, kernels, steps, windows
from convlaws.problem.scope import WHOLE, Scope
from convlaws.targets.process_spec import WITH_TORCH
from convlaws.targets.registry import method


def _weights(g: Geometry, w: Array) -> Array:
    """(K, C/G, *kernel) -> (G, K/G, C/G taps)"""
    return w.reshape(g.groups, g.rows // g.groups, w[0].size)


def _flat(g: Geometry, two: tuple[int, ...], fill: int) -> tuple[int, int]:
    """Return two numbers for torch's planes: a line is a plane of height one."""
    return two if g.ndim == 2 else (fill, *two)  # type: ignore[return-value]


def _sliding(g: Geometry) -> dict[str, tuple[int, int]]:
    return {
        "kernel_size": _flat(g, g.kernel, 1),
        "stride": _flat(g, g.stride, 1),
        "dilation": _flat(g, g.dilation, 1),
    }


def _used(g: Geometry) -> tuple[int, ...]:
    """Return the extents that some window reaches: torch would unfold an unused tail into additional windows."""
    return tuple((n - 1) * s + reach for n, s, reach in zip(g.narrow, g.stride, g.reach, strict=True))


def _unfolded(g: Geometry, wide: Array) -> Array:
    """(N, G, C/G taps, positions), by torch"""
    import torch

    used = wide[(..., *map(slice, _used(g)))]
    planes = np.array(used).reshape(len(wide), g.columns, *_flat(g, _used(g), 1))
    columns = torch.nn.functional.unfold(torch.from_numpy(planes), **_sliding(g)).numpy()
    return columns.reshape(len(wide), g.groups, columns.shape[1] // g.groups, columns.shape[2])


@method("unfold", scope=Scope(ndim=(1, 2)), home=WITH_TORCH)
class Unfold:
    """torch.nn.functional.unfold, a matrix product and a reshape; backwards by fold."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        return (_weights(g, w) @ _unfolded(g, wide)).reshape(len(wide), g.rows, *g.narrow)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        import torch

        columns = _weights(g, w).swapaxes(1, 2) @ grouped(g, narrow)
        columns = columns.reshape(len(narrow), g.columns * prod(g.kernel), prod(g.narrow))
        folded = torch.nn.functional.fold(torch.from_numpy(columns), _flat(g, _used(g), 1), **_sliding(g))
        x = np.zeros((len(narrow), g.columns, *g.wide), narrow.dtype)
        x[(..., *map(slice, _used(g)))] = folded.numpy().reshape(len(narrow), g.columns, *_used(g))
        return x

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        weights = (grouped(g, narrow) @ _unfolded(g, wide).swapaxes(2, 3)).sum(axis=0)
        return weights.reshape(g.rows, g.columns // g.groups, *g.kernel)


def _rows(g: Geometry, wide: Array) -> Array:
    """(G, N, positions, C/G taps): each row is a flattened window of an image."""
    x = wide.reshape(len(wide), g.groups, g.columns // g.groups, *g.wide).swapaxes(0, 1)
    size = g.columns // g.groups * prod(g.kernel)
    matrix = np.empty((g.groups, len(wide), len(windows(g)), size), wide.dtype)
    for row, window in enumerate(windows(g)):
        matrix[:, :, row] = x[(..., *window)].reshape(g.groups, len(wide), size)
    return matrix


@method("windows", scope=Scope(macs=1_000_000))
class Windows:
    """Each window flattened into a row of a matrix, times the kernels as vectors."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        y = _rows(g, wide) @ _weights(g, w).swapaxes(1, 2)[:, None]
        return y.transpose(1, 0, 3, 2).reshape(len(wide), g.rows, *g.narrow)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        matrix = grouped(g, narrow).transpose(1, 0, 3, 2) @ _weights(g, w)[:, None]
        total = np.zeros((g.groups, len(narrow), g.columns // g.groups, *g.wide), narrow.dtype)
        for row, window in enumerate(windows(g)):
            part = total[(..., *window)]
            part += matrix[:, :, row].reshape(part.shape)
        return total.swapaxes(0, 1).reshape(len(narrow), g.columns, *g.wide)

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        weights = (grouped(g, narrow).swapaxes(0, 1) @ _rows(g, wide)).sum(axis=1)
        return weights.reshape(g.rows, g.columns // g.groups, *g.kernel)


def _columns(g: Geometry, wide: Array) -> Array:
    """(G, C/G taps, N positions): a strided view of all windows, copied once."""
    image, channel, *space = wide.strides
    size = g.columns // g.groups
    shape = (g.groups, size, *g.kernel, len(wide), *g.narrow)
    tap = (b * d for b, d in zip(space, g.dilation, strict=True))
    position = (b * s for b, s in zip(space, g.stride, strict=True))
    strides = (channel * size, channel, *tap, image, *position)
    view = np.lib.stride_tricks.as_strided(wide, shape, strides, writeable=False)
    return view.reshape(g.groups, size * prod(g.kernel), len(wide) * prod(g.narrow))


def _side(g: Geometry, narrow: Array) -> Array:
    """(G, K/G, N positions)"""
    size = g.rows // g.groups
    return grouped(g, narrow).transpose(1, 2, 0, 3).reshape(g.groups, size, len(narrow) * prod(g.narrow))


@method("im2col", scope=WHOLE, can=("peer",))
class Im2col:
    """All windows as columns without a loop, one matrix product a group."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        y = _weights(g, w) @ _columns(g, wide)
        y = y.reshape(g.rows, len(wide), prod(g.narrow)).swapaxes(0, 1)
        return y.reshape(len(wide), g.rows, *g.narrow)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        columns = kernels(g, w).transpose(3, 0, 2, 1) @ _side(g, narrow)  # (taps, G, C/G, N positions)
        total = np.zeros((g.columns, len(narrow), *g.wide), narrow.dtype)
        for part, step in zip(columns, steps(g), strict=True):
            total[(..., *step)] += part.reshape(g.columns, len(narrow), *g.narrow)
        return total.swapaxes(0, 1)

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        weights = _side(g, narrow) @ _columns(g, wide).swapaxes(1, 2)
        return weights.reshape(g.rows, g.columns // g.groups, *g.kernel)
