"""The definition of a convolution in NumPy, a tap at a time: pairs of places that the tap lays over each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray
Rounding = Callable[[Array], Array]


def pairs(spec: Any, axis: int, tap: int) -> tuple[Array, Array]:
    """The places of y and of x that the tap joins on this axis, in the same order."""
    low, stride = spec.sides[axis][0], spec.stride[axis]
    if spec.transposed:
        x = np.arange(spec.extent[axis])
        y = x * stride + tap * spec.dilation[axis] - low
        inside = (y >= 0) & (y < spec.output[axis])
        return y[inside], x[inside]
    y = np.arange(spec.output[axis])
    at, last = y * stride + tap * spec.dilation[axis] - low, spec.spaced[axis] - 1
    if spec.padding_mode == "circular":
        at = at % (last + 1)
    elif spec.padding_mode == "replicate":
        at = np.clip(at, 0, last)
    elif spec.padding_mode == "reflect":
        at = last - np.abs(last - np.abs(at))
    inside = (at >= 0) & (at <= last) & (at % spec.input_dilation[axis] == 0)
    return y[inside], at[inside] // spec.input_dilation[axis]


def joined(spec: Any) -> Iterator[tuple[tuple, tuple, tuple]]:
    """(tap, index of y, index of x) for each tap, on arrays of axes image, group, channel and space."""
    for tap in np.ndindex(*spec.kernel):
        ys, xs = zip(*(pairs(spec, axis, t) for axis, t in enumerate(tap)), strict=True)
        yield tap, (..., *np.ix_(*ys)), (..., *np.ix_(*xs))


def images(spec: Any, a: Array, channels: int) -> Array:
    """x or y with axes image, group, channel and space, in float64."""
    size = a.shape[-spec.ndim :]
    return a.astype(np.float64).reshape(spec.images, spec.groups, channels // spec.groups, *size)


def kernel(spec: Any, w: Array) -> Array:
    """w with axes group, output channel, input channel and taps, in float64; of either direction."""
    w = w.astype(np.float64).reshape(spec.groups, -1, *w.shape[1:])
    return w.swapaxes(1, 2) if spec.transposed else w


def fprop(spec: Any, a: Mapping[str, Array], rounded: Rounding) -> Array:
    x, w = images(spec, a["x"], spec.in_channels), kernel(spec, a["w"])
    y = np.zeros((spec.images, spec.groups, spec.out_channels // spec.groups, *spec.output))
    for tap, at_y, at_x in joined(spec):
        y[at_y] = rounded(y[at_y] + rounded(np.einsum("gkc,ngc...->ngk...", w[(..., *tap)], x[at_x])))
    y = y.reshape(spec.y_shape)
    return y + a["b"].astype(np.float64).reshape(-1, *(1,) * spec.ndim) if "b" in a else y


def dgrad(spec: Any, a: Mapping[str, Array], rounded: Rounding) -> Array:
    gy, w = images(spec, a["gy"], spec.out_channels), kernel(spec, a["w"])
    gx = np.zeros((spec.images, spec.groups, spec.in_channels // spec.groups, *spec.extent))
    for tap, at_y, at_x in joined(spec):
        part = np.zeros_like(gx)
        np.add.at(part, at_x, np.einsum("gkc,ngk...->ngc...", w[(..., *tap)], gy[at_y]))  # a padding may repeat a place
        gx = rounded(gx + rounded(part))
    return gx.reshape(spec.x_shape)


def wgrad(spec: Any, a: Mapping[str, Array], rounded: Rounding) -> Array:
    x, gy = images(spec, a["x"], spec.in_channels), images(spec, a["gy"], spec.out_channels)
    gw = np.zeros((spec.groups, gy.shape[2], x.shape[2], *spec.kernel))
    for tap, at_y, at_x in joined(spec):
        for one_gy, one_x in zip(gy[at_y], x[at_x], strict=True):
            sums = np.einsum("gko,gco->gkc", *(a.reshape(*a.shape[:2], prod(a.shape[2:])) for a in (one_gy, one_x)))
            gw[(..., *tap)] = rounded(gw[(..., *tap)] + rounded(sums))
    return (gw.swapaxes(1, 2) if spec.transposed else gw).reshape(spec.w_shape)


def bgrad(spec: Any, a: Mapping[str, Array], rounded: Rounding) -> Array:
    gb = np.zeros(spec.b_shape)
    for one in a["gy"].astype(np.float64).reshape(spec.images, spec.out_channels, prod(spec.output)):
        gb = rounded(gb + rounded(one.sum(axis=1)))
    return gb


def second(spec: Any, op: str, a: Mapping[str, Array], rounded: Rounding) -> Array:
    """The derivative of <dgrad(gy, w), v> + <wgrad(x, gy), u> by x, w or gy."""
    if op == "second_x":
        return dgrad(spec, {"gy": a["gy"], "w": a["u"]}, rounded)
    if op == "second_w":
        return wgrad(spec, {"x": a["v"], "gy": a["gy"]}, rounded)
    return fprop(spec, {"x": a["v"], "w": a["w"]}, rounded) + fprop(spec, {"x": a["x"], "w": a["u"]}, rounded)


FIRST = {"fprop": fprop, "dgrad": dgrad, "wgrad": wgrad, "bgrad": bgrad}


def computed(spec: Any, op: str, arrays: Mapping[str, Array], *, partials: bool = False) -> Array:
    """`op` in float64, rounded once to the dtype of the arrays; with `partials`, each partial sum is rounded to it too."""
    dtype = next(iter(arrays.values())).dtype
    rounded: Rounding = (lambda a: a.astype(dtype).astype(np.float64)) if partials else (lambda a: a)
    with np.errstate(all="ignore"):
        found = FIRST[op](spec, arrays, rounded) if op in FIRST else second(spec, op, arrays, rounded)
        return found.astype(dtype)
