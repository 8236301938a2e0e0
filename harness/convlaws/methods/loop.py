"""Convolutions by loops: the textbook definition, and variants with vectorised inner loops."""

from __future__ import annotations

from itertools import product

import numpy as np

from convlaws.methods.base import Array, Geometry
from convlaws.methods.indices import grouped, windows
from convlaws.problem.scope import WIDE, Scope
from convlaws.targets.registry import method


def _results(g: Geometry, images: int):
    """Yield (image, output channel, slice of its group's input channels, window, position) for each result."""
    size = g.columns // g.groups
    positions = list(zip(np.ndindex(*g.narrow), windows(g), strict=True))
    for n, k in product(range(images), range(g.rows)):
        first = k * g.groups // g.rows * size
        for at, window in positions:
            yield n, k, slice(first, first + size), window, at


# at the limit it takes 10 to 15 ms with a 3x3 kernel on one channel, 70 to 180 ms with a single tap (measured 2026-11)
@method("loop", scope=Scope(**WIDE, macs=20_000))
class Loop:
    """Nested loops over image, output channel and position: the window times the kernel, summed."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        y = np.zeros((len(wide), g.rows, *g.narrow), wide.dtype)
        for n, k, channels, window, at in _results(g, len(wide)):
            y[(n, k, *at)] = (wide[(n, channels, *window)] * w[k]).sum()
        return y

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        x = np.zeros((len(narrow), g.columns, *g.wide), narrow.dtype)
        for n, k, channels, window, at in _results(g, len(narrow)):
            x[(n, channels, *window)] += narrow[(n, k, *at)] * w[k]
        return x

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        w = np.zeros((g.rows, g.columns // g.groups, *g.kernel), wide.dtype)
        for n, k, channels, window, at in _results(g, len(wide)):
            w[k] += wide[(n, channels, *window)] * narrow[(n, k, *at)]
        return w


def _planes(g: Geometry, images: int):
    """Return (image, channel) of every plane: input and output channels are the same here."""
    return product(range(images), range(g.rows))


@method("loop-one-channel", scope=Scope(channels=(1, 1), macs=20_000))
class LoopOneChannel:
    """One window slides over one plane; a group is one input and one output channel."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        y = np.zeros((len(wide), g.rows, *g.narrow), wide.dtype)
        for n, c in _planes(g, len(wide)):
            plane, kernel = wide[n, c], w[c, 0]
            y[n, c].flat = [(plane[window] * kernel).sum() for window in windows(g)]
        return y

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        x = np.zeros((len(narrow), g.columns, *g.wide), narrow.dtype)
        for n, c in _planes(g, len(narrow)):
            plane, kernel = x[n, c], w[c, 0]
            for value, window in zip(narrow[n, c].flat, windows(g), strict=True):
                plane[window] += value * kernel
        return x

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        w = np.zeros((g.rows, 1, *g.kernel), wide.dtype)
        for n, c in _planes(g, len(wide)):
            plane, kernel = wide[n, c], w[c, 0]
            for value, window in zip(narrow[n, c].flat, windows(g), strict=True):
                kernel += value * plane[window]
        return w


def _by_group(g: Geometry, wide: Array) -> Array:
    """(N, C, *wide) -> (G, N, C/G, *wide)"""
    return wide.reshape(len(wide), g.groups, g.columns // g.groups, *g.wide).swapaxes(0, 1)


@method("loop-window", scope=Scope(**WIDE, macs=1_000_000))
class LoopWindow:
    """One window slides over all images and channels at once: a loop over positions only."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array:
        x, flat = _by_group(g, wide), w.reshape(g.groups, g.rows // g.groups, w[0].size).swapaxes(1, 2)
        y = np.empty((len(windows(g)), g.groups, len(wide), g.rows // g.groups), wide.dtype)
        for at, window in enumerate(windows(g)):
            np.matmul(x[(..., *window)].reshape(g.groups, len(wide), w[0].size), flat, out=y[at])
        return y.transpose(2, 1, 3, 0).reshape(len(wide), g.rows, *g.narrow)

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
        total = np.zeros((g.groups, len(narrow), g.columns // g.groups, *g.wide), narrow.dtype)
        flat = w.reshape(g.groups, g.rows // g.groups, w[0].size)
        values = np.ascontiguousarray(grouped(g, narrow).transpose(3, 1, 0, 2))
        for value, window in zip(values, windows(g), strict=True):
            part = total[(..., *window)]
            part += (value @ flat).reshape(part.shape)
        return total.swapaxes(0, 1).reshape(len(narrow), g.columns, *g.wide)

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
        x, shape = _by_group(g, wide), (g.rows, g.columns // g.groups, *g.kernel)
        size = int(np.prod(shape[1:]))
        total = np.zeros((g.groups, g.rows // g.groups, size), wide.dtype)
        values = np.ascontiguousarray(grouped(g, narrow).transpose(3, 1, 2, 0))
        for value, window in zip(values, windows(g), strict=True):
            total += value @ x[(..., *window)].reshape(g.groups, len(wide), size)
        return total.reshape(shape)
