"""Convolutions by the fast Fourier transform: one product per frequency, with SciPy's and with torch's transform.

A circle of the wide extents is large enough, as no requested window reaches over its end. Dilation
is a stretched kernel, stride a selection (or, for the other maps, a stretched narrow image).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from convlaws.methods.base import Array, Geometry
from convlaws.methods.indices import stretched
from convlaws.problem.fills import FILLS
from convlaws.problem.scope import Scope
from convlaws.targets.process_spec import WITH_SCIPY, WITH_TORCH
from convlaws.targets.registry import method

# a transform sums a whole plane: it can overflow where no result does, and spreads underflow to results
# that the bound treats as exact (seen with torch's: off by one subnormal number)
_FILLS = tuple(fill for fill in FILLS if fill not in ("huge", "tiny"))


class Transform(NamedTuple):
    """The transform to half a spectrum and its inverse, over the last axes, on a circle of the given lengths."""

    forward: Callable[[Array, tuple[int, ...]], Array]
    back: Callable[[Array, tuple[int, ...]], Array]


def _lengths(g: Geometry) -> tuple[int, ...]:
    from scipy.fft import next_fast_len

    return tuple(next_fast_len(n, real=True) for n in g.wide)


def _axes(a: Array, lengths: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(a.ndim - len(lengths), a.ndim))


def _scipy_forward(a: Array, lengths: tuple[int, ...]) -> Array:
    from scipy.fft import rfftn

    return rfftn(a, lengths, _axes(a, lengths))  # type: ignore[return-value]


def _scipy_back(a: Array, lengths: tuple[int, ...]) -> Array:
    from scipy.fft import irfftn

    return irfftn(a, lengths, _axes(a, lengths))  # type: ignore[return-value]


def _torch_forward(a: Array, lengths: tuple[int, ...]) -> Array:
    import torch

    return torch.fft.rfftn(torch.from_numpy(np.array(a)), lengths, _axes(a, lengths)).numpy()


def _torch_back(a: Array, lengths: tuple[int, ...]) -> Array:
    import torch

    return torch.fft.irfftn(torch.from_numpy(a), lengths, _axes(a, lengths)).numpy()


def _apart(a: Array, counts: tuple[int, ...], step: tuple[int, ...]) -> Array:
    """Return the first `counts` elements of each axis, `step` apart."""
    return a[(..., *(slice(0, (n - 1) * s + 1, s) for n, s in zip(counts, step, strict=True)))]


def _split(g: Geometry, a: Array) -> Array:
    """(N, channels, ...) -> (N, G, channels per group, ...)"""
    return a.reshape(len(a), g.groups, a.shape[1] // g.groups, *a.shape[2:])


def _kernel(g: Geometry, w: Array) -> Array:
    """(G, K/G, C/G, *wide): the dilated kernels."""
    return stretched(g, w, g.dilation).reshape(g.groups, g.rows // g.groups, g.columns // g.groups, *g.wide)


class _Fourier:
    """The three maps: each a sum of products of spectra, with the conjugate for a correlation."""

    transform: Transform

    @classmethod
    def gather(cls, g: Geometry, wide: Array, w: Array) -> Array:
        if not wide.size:
            return np.zeros((0, g.rows, *g.narrow), wide.dtype)
        size = _lengths(g)
        X, W = cls.transform.forward(_split(g, wide), size), cls.transform.forward(_kernel(g, w), size)
        y = cls.transform.back(np.einsum("ngc...,gkc...->ngk...", X, W.conj()), size)
        return _apart(y, g.narrow, g.stride).reshape(len(wide), g.rows, *g.narrow)

    @classmethod
    def scatter(cls, g: Geometry, narrow: Array, w: Array) -> Array:
        if not narrow.size:
            return np.zeros((0, g.columns, *g.wide), narrow.dtype)
        size = _lengths(g)
        Y, W = cls.transform.forward(_split(g, stretched(g, narrow, g.stride)), size), cls.transform.forward(_kernel(g, w), size)
        x = cls.transform.back(np.einsum("ngk...,gkc...->ngc...", Y, W), size)
        return _apart(x, g.wide, (1,) * g.ndim).reshape(len(narrow), g.columns, *g.wide)

    @classmethod
    def weigh(cls, g: Geometry, wide: Array, narrow: Array) -> Array:
        shape = (g.rows, g.columns // g.groups, *g.kernel)
        if not wide.size:
            return np.zeros(shape, wide.dtype)
        size = _lengths(g)
        X, Y = (
            cls.transform.forward(_split(g, wide), size),
            cls.transform.forward(_split(g, stretched(g, narrow, g.stride)), size),
        )
        w = cls.transform.back(np.einsum("ngc...,ngk...->gkc...", X, Y.conj()), size)
        return _apart(w, g.kernel, g.dilation).reshape(shape)


@method("fft", scope=Scope(fills=_FILLS), contract="fft", home=WITH_SCIPY)
class Fft(_Fourier):
    """scipy.fft: spectra multiplied, channels summed, and back."""

    transform = Transform(_scipy_forward, _scipy_back)


@method("fft-torch", scope=Scope(fills=_FILLS), contract="fft", home=WITH_TORCH)
class FftTorch(_Fourier):
    """torch.fft: spectra multiplied, channels summed, and back."""

    transform = Transform(_torch_forward, _torch_back)
