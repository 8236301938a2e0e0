"""Mutants that read or write the wrong element."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convlaws.mutants.registry import mutant, right


@mutant("fprop", defect="indexing", thread="?")
def flipped_kernel(spec, op, a):
    """Computes the true (flipped) convolution."""
    taps = tuple(range(2, 2 + spec.ndim))
    return right(spec, op, {**a, "w": np.flip(a["w"], taps)})


@mutant(defect="indexing", thread="?")
def flipped_everywhere(spec, op, a):
    """A consistently flipped convolution: forward and gradients agree with each other, not with the definition."""
    taps = tuple(range(2, 2 + spec.ndim))
    if "w" in a:
        a["w"] = np.flip(a["w"], taps)
    result = right(spec, op, a)
    return np.flip(result, taps) if op == "wgrad" else result


@mutant("fprop", "dgrad", "wgrad", defect="indexing", thread="?")
def swapped_padding(spec, op, a):
    """Puts the low padding high and the high one low."""
    sides = tuple((high, low) for low, high in spec.sides)
    return right(replace(spec, padding=sides), op, a)


@mutant("fprop", "dgrad", defect="indexing", thread="?")
def forgotten_dilation(spec, op, a):
    """Reads neighbouring elements where the kernel has holes."""
    w = np.zeros((*a["w"].shape[:2], *spec.reach), a["w"].dtype)
    w[(..., *map(slice, spec.kernel))] = a["w"]
    return right(replace(spec, kernel=spec.reach, dilation=(1,) * spec.ndim), op, {**a, "w": w})


@mutant("fprop", defect="indexing", thread="?")
def first_group_twice(spec, op, a):
    """Computes the last group with the first group's weights."""
    size = a["w"].shape[0] // spec.groups
    w = a["w"].copy()
    w[-size:] = w[:size]
    return right(spec, op, {**a, "w": w})


@mutant("fprop", defect="indexing", thread="?")
def lost_channel_tail(spec, op, a):
    """Forgets the last input channel when there is one more than a multiple of four."""
    axis = 0 if spec.batch is None else 1
    x = a["x"].copy()
    if x.shape[axis] % 4 == 1 and x.shape[axis] > 1:
        np.moveaxis(x, axis, 0)[-1] = 0
    return right(spec, op, {**a, "x": x})


@mutant("fprop", defect="indexing", thread="?")
def lost_width_tail(spec, op, a):
    """Leaves the last column of odd outputs of stride two at zero."""
    y = right(spec, op, a)
    if spec.stride[-1] == 2 and y.shape[-1] % 2:
        y[..., -1] = 0
    return y


@mutant("fprop", defect="indexing", thread="?")
def square_stride(spec, op, a):
    """Takes the first axis' stride for every axis, and fills up with the last column."""
    square = replace(spec, stride=(spec.stride[0],) * spec.ndim, output_padding=(0,) * spec.ndim)
    y = right(square, op, a)
    room = [(0, max(0, n - m)) for n, m in zip(spec.y_shape, y.shape, strict=True)]
    return np.pad(y, room)[tuple(map(slice, spec.y_shape))]


@mutant("fprop", defect="indexing", thread="?")
def same_pads_low(spec, op, a):
    """Puts the odd element of 'same' padding low."""
    if spec.padding != "same":
        return right(spec, op, a)
    return right(replace(spec, padding=tuple((high, low) for low, high in spec.sides)), op, a)


@mutant("fprop", "dgrad", "wgrad", defect="indexing", thread="?")
def reflect_repeats_the_edge(spec, op, a):
    """Reflects about the border of the first element, not about its middle."""
    if spec.padding_mode != "reflect":
        return right(spec, op, a)
    axes = range(-spec.ndim, 0)
    if op != "fprop":
        return right(replace(spec, padding_mode="replicate"), op, a)
    x = np.pad(a["x"], [(0, 0)] * (a["x"].ndim - spec.ndim) + list(spec.sides), mode="symmetric")
    extent = tuple(x.shape[axis] for axis in axes)
    return right(replace(spec, extent=extent, padding="valid", padding_mode="zeros"), op, {**a, "x": x})


@mutant("fprop", defect="indexing", thread="?")
def second_image_is_the_first(spec, op, a):
    """Has a batch stride of zero."""
    if spec.batch is None:
        return right(spec, op, a)
    return right(spec, op, {**a, "x": np.broadcast_to(a["x"][:1], a["x"].shape)})


@mutant("fprop", defect="indexing", thread="?")
def pointwise_ignores_stride(spec, op, a):
    """Its fast path for 1x1 kernels takes the first elements instead of every s-th."""
    y = right(spec, op, a)
    if set(spec.kernel) != {1} or spec.transposed or any(map(any, spec.sides)):
        return y
    x = a["x"][(..., *map(slice, spec.output))]
    return right(replace(spec, stride=(1,) * spec.ndim, extent=spec.output), op, {**a, "x": x})


@mutant("fprop", defect="indexing", thread="?")
def output_padding_shifts(spec, op, a):
    """Puts the output padding before the output instead of after it."""
    y = right(spec, op, a)
    return np.roll(y, spec.output_padding, tuple(range(-spec.ndim, 0)))


@mutant("dgrad", defect="indexing", thread="?")
def dgrad_unflipped(spec, op, a):
    """The input gradient convolves with the kernel as it is."""
    return right(spec, op, {**a, "w": np.flip(a["w"], tuple(range(2, 2 + spec.ndim)))})


@mutant("wgrad", defect="indexing", thread="?")
def wgrad_of_the_first_image(spec, op, a):
    """The weight gradient forgets all images but the first."""
    gy = a["gy"].copy()
    if spec.batch is not None:
        gy[1:] = 0
    return right(spec, op, {**a, "gy": gy})


@mutant("wgrad", defect="indexing", thread="?")
def wgrad_swaps_channels(spec, op, a):
    """The weight gradient has the input channels of a group in reverse."""
    return right(spec, op, a)[:, ::-1].copy()


@mutant("bgrad", defect="indexing", thread="?")
def bgrad_is_the_mean(spec, op, a):
    """The bias gradient is divided by the batch."""
    return (right(spec, op, a) / max(spec.images, 1)).astype(a["gy"].dtype)
