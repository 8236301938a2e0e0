"""The oracle's three linear maps, each a matrix product over all taps at once.

The maps act on a `wide` array (input of a convolution, already padded) and a
`narrow` one (its output); a transposed convolution is the same three maps with
the two exchanged:

    gather   narrow[o] = sum_t wide[o stride + t dilation] w[t]
    scatter  wide[o stride + t dilation] += narrow[o] w[t]
    weigh    w[t] = sum_o wide[o stride + t dilation] narrow[o]

All take stacks: a leading axis of independent problems of the same sizes. Each image is a
column (see `_side`) and so is each window (see `_windows`). Images are processed in chunks, as windows
overlap and take the memory of the image times the number of taps.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np

from convlaws.problem.spec import ConvSpec

Array = np.ndarray
WINDOWS = 1 << 22  # elements of windows that are laid out at once: 32 MB of float64


def _few_images(spec: ConvSpec, images: Array, narrow: tuple[int, ...]) -> Iterator[slice]:
    """Yield slices of the images, each as many as fit into WINDOWS elements of windows."""
    each = len(images) * images.shape[2] * prod(spec.kernel) * prod(narrow)
    few = max(1, WINDOWS // max(each, 1))
    return (slice(start, start + few) for start in range(0, images.shape[1], few))


def _windows(spec: ConvSpec, wide: Array, narrow: tuple[int, ...]) -> Array:
    """(stack, N, C, *wide) -> (stack, G, C/G taps, N positions): what each tap reads at each position."""
    stack, images, channels = wide.shape[:3]
    problem, image, channel, *space = wide.strides
    size = channels // spec.groups
    shape = (stack, spec.groups, size, *spec.kernel, images, *narrow)
    tap = (step * d for step, d in zip(space, spec.dilation, strict=True))
    position = (step * s for step, s in zip(space, spec.stride, strict=True))
    view = np.lib.stride_tricks.as_strided(
        wide, shape, (problem, channel * size, channel, *tap, image, *position), writeable=False
    )
    return view.reshape(stack, spec.groups, size * prod(spec.kernel), images * prod(narrow))


def _side(spec: ConvSpec, narrow: Array) -> Array:
    """(stack, N, K, *space) -> (stack, G, K/G, N positions)"""
    stack, images, rows = narrow.shape[:3]
    split = narrow.reshape(stack, images, spec.groups, rows // spec.groups, prod(narrow.shape[3:]))
    return split.transpose(0, 2, 3, 1, 4).reshape(stack, spec.groups, rows // spec.groups, images * split.shape[4])


def _matrix(spec: ConvSpec, w: Array) -> Array:
    """(stack, K, C/G, *kernel) -> (stack, G, K/G, C/G taps)"""
    return w.reshape(len(w), spec.groups, w.shape[1] // spec.groups, w.shape[2] * prod(spec.kernel))


def gather(spec: ConvSpec, wide: Array, w: Array, narrow: tuple[int, ...]) -> Array:
    """narrow[o] = sum_t wide[o stride + t dilation] w[t]; stacks of (N, columns, *) -> (N, rows, *)."""
    total = np.zeros((*wide.shape[:2], w.shape[1], *narrow), np.result_type(wide, w))
    for some in _few_images(spec, wide, narrow):
        part = total[:, some]
        result = (_matrix(spec, w) @ _windows(spec, wide[:, some], narrow)).reshape(len(w), w.shape[1], part.shape[1], *narrow)
        part[...] = result.swapaxes(1, 2)
    return total


def scatter(spec: ConvSpec, narrow: Array, w: Array, wide: tuple[int, ...]) -> Array:
    """The adjoint of `gather` in its image; stacks of (N, rows, *) -> (N, columns, *wide)."""
    channels, space, taps = w.shape[2], narrow.shape[3:], prod(spec.kernel)
    total = np.zeros((*narrow.shape[:2], spec.groups, channels, *wide), np.result_type(narrow, w))
    split = w.reshape(len(w), spec.groups, w.shape[1] // spec.groups, channels, taps)
    matrix = split.transpose(0, 1, 4, 3, 2).reshape(len(w), spec.groups, taps * channels, split.shape[2])
    for some in _few_images(spec, narrow, space):
        part = np.moveaxis(total[:, some], 1, 3)  # (stack, G, C/G, N, *wide)
        by_tap = (matrix @ _side(spec, narrow[:, some])).reshape(len(w), spec.groups, taps, *part.shape[2:4], *space)
        for tap, slices in enumerate(_taps(spec, space)):
            part[(..., *slices)] += by_tap[:, :, tap]
    return total.reshape(*narrow.shape[:2], spec.groups * channels, *wide)


def weigh(spec: ConvSpec, wide: Array, narrow: Array) -> Array:
    """The adjoint of `gather` in its kernel; stacks of images -> (rows, columns per group, *kernel)."""
    rows, columns, space = narrow.shape[2], wide.shape[2] // spec.groups, narrow.shape[3:]
    total = np.zeros((len(wide), rows, columns, *spec.kernel), np.result_type(narrow, wide))
    for some in _few_images(spec, wide, space):
        share = _side(spec, narrow[:, some]) @ np.swapaxes(_windows(spec, wide[:, some], space), -1, -2)
        total += share.reshape(total.shape)
    return total


def _taps(spec: ConvSpec, narrow: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield, for each tap, the slices of the wide array that it touches."""
    axes = (
        [slice(t * d, t * d + s * (n - 1) + 1 if n else t * d, s) for t in range(r)]
        for r, d, s, n in zip(spec.kernel, spec.dilation, spec.stride, narrow, strict=True)
    )
    return product(*axes)
