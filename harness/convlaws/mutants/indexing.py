"""Mutants that read or write the wrong element, in ways that need little: one for each kind of mistake."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.mutants.spoiling import PLAIN, as_if, tail, without


def _taps(spec) -> tuple[int, ...]:
    return tuple(range(2, 2 + spec.ndim))


@mutant("fprop", defect="indexing", needs=("taps",), thread="FluxML/NNlib.jl#208")
def flipped_kernel(spec, op, a):
    """Computes the true (flipped) convolution."""
    return right(spec, op, {**a, "w": np.flip(a["w"], _taps(spec))})


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("taps",), thread="astrorama/SourceXtractorPlusPlus#72")
def flipped_everywhere(spec, op, a):
    """A consistently flipped convolution: forward and gradients agree with each other, not with the definition."""
    if "w" in a:
        a["w"] = np.flip(a["w"], _taps(spec))
    result = right(spec, op, a)
    return np.flip(result, _taps(spec)) if op == "wgrad" else result


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("uneven-padding",), thread="PaddlePaddle/Paddle#26921")
def swapped_padding(spec, op, a):
    """Puts the low padding high and the high one low."""
    sides = tuple((high, low) for low, high in spec.sides)
    return right(replace(spec, padding=sides), op, a)


@mutant("fprop", "dgrad", defect="indexing", needs=("dilated", "taps"), thread="tensorflow/tensorflow#18454")
def forgotten_dilation(spec, op, a):
    """Reads neighbouring elements where the kernel has holes."""
    w = np.zeros((*a["w"].shape[:2], *spec.reach), a["w"].dtype)
    w[(..., *map(slice, spec.kernel))] = a["w"]
    return as_if(spec, op, {**a, "w": w}, kernel=spec.reach, dilation=(1,) * spec.ndim)


@mutant("fprop", defect="indexing", needs=("grouped",), thread="BVLC/caffe#4134")
def first_group_twice(spec, op, a):
    """Computes the last group with the first group's weights."""
    size = a["w"].shape[0] // spec.groups
    w = a["w"].copy()
    w[-size:] = w[:size]
    return right(spec, op, {**a, "w": w})


@mutant("fprop", defect="indexing", needs=("channel-tail-4",), thread="bhuman/CompiledNN#16")
def lost_channel_tail(spec, op, a):
    """Forgets the input channels of a group past a multiple of four."""
    left = tail(spec.in_channels, 4, spec.groups)
    return right(spec, op, {**a, "x": without(a["x"], -spec.ndim - 1, left)})


@mutant("fprop", defect="indexing", needs=("strided", "odd-results"), thread="opencv/opencv#23151")
def lost_width_tail(spec, op, a):
    """Leaves the last column of strided results at zero where their number is odd."""
    return without(right(spec, op, a), -1, slice(-1, None))


@mutant("fprop", defect="indexing", needs=("unequal-stride",), thread="deepjavalibrary/djl#384")
def square_stride(spec, op, a):
    """Takes the first axis' stride for every axis, and fills up with zeros."""
    return as_if(spec, op, a, stride=(spec.stride[0],) * spec.ndim, output_padding=(0,) * spec.ndim)


@mutant("fprop", defect="indexing", needs=("same", "even-kernel"), thread="openvinotoolkit/openvino#32854")
def same_pads_low(spec, op, a):
    """Puts the odd element of 'same' padding low."""
    return right(replace(spec, padding=tuple((high, low) for low, high in spec.sides)), op, a)


@mutant("fprop", "dgrad", "wgrad", scope=PLAIN, defect="indexing", needs=("reflect", "padded"), thread="odlgroup/odl#645")
def reflect_repeats_the_edge(spec, op, a):
    """Reflects about the border of the first element, not about its middle."""
    if op != "fprop":
        return right(replace(spec, padding_mode="replicate"), op, a)
    x = np.pad(a["x"], [(0, 0)] * (a["x"].ndim - spec.ndim) + list(spec.sides), mode="symmetric")
    extent = x.shape[-spec.ndim :]
    return right(replace(spec, extent=extent, padding="valid", padding_mode="zeros"), op, {**a, "x": x})


@mutant("fprop", defect="indexing", needs=("images",), thread="Pegessi/conv2d_direct#1")
def second_image_is_the_first(spec, op, a):
    """Has a batch stride of zero."""
    return right(spec, op, {**a, "x": np.broadcast_to(a["x"][:1], a["x"].shape)})


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("pointwise", "strided"), thread="tensorflow/tensorflow#889")
def pointwise_ignores_stride(spec, op, a):
    """Its fast path for 1x1 kernels takes the first elements instead of every s-th."""
    return as_if(spec, op, a, stride=(1,) * spec.ndim)


@mutant("fprop", defect="indexing", needs=("output-padding",), thread="tinygrad/tinygrad#875")
def output_padding_shifts(spec, op, a):
    """Puts the output padding before the output instead of after it."""
    y = right(spec, op, a)
    return np.roll(y, spec.output_padding, tuple(range(-spec.ndim, 0)))


@mutant("dgrad", defect="indexing", needs=("taps",), thread="Theano/Theano#5170")
def dgrad_unflipped(spec, op, a):
    """The input gradient convolves with the kernel as it is."""
    return right(spec, op, {**a, "w": np.flip(a["w"], _taps(spec))})


@mutant("wgrad", defect="indexing", needs=("images",), thread="LBANN/lbann#1022")
def wgrad_of_the_first_image(spec, op, a):
    """The weight gradient forgets all images but the first."""
    return right(spec, op, {**a, "gy": without(a["gy"], 0, slice(1, None))})


@mutant("wgrad", defect="indexing", needs=("several-channels",), thread="apache/tvm#4122")
def wgrad_swaps_channels(spec, op, a):
    """The weight gradient has the input channels of a group in reverse."""
    axis = 0 if spec.transposed else 1
    return np.flip(right(spec, op, a), axis).copy()


@mutant("bgrad", defect="indexing", needs=("images",), thread="kvfrans/notes#5")
def bgrad_is_the_mean(spec, op, a):
    """The bias gradient is divided by the batch."""
    return (right(spec, op, a) / spec.images).astype(a["gy"].dtype)
