"""Mutants that mix up groups: offsets, order, and the fast paths for one channel a group."""

from __future__ import annotations

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.mutants.spoiling import PLAIN, as_if, border, channels, in_turn, ones, reordered, tail, without


@mutant("fprop", defect="indexing", needs=("grouped", "bias"), thread="robertknight/rten#1408")
def bias_of_the_first_group(spec, op, a):
    """Indexes the bias within a group, so that every group gets the first one's."""
    first = a["b"][: spec.out_channels // spec.groups]
    return right(spec, op, {**a, "b": np.tile(first, spec.groups)})


@mutant("fprop", "dgrad", defect="indexing", needs=("grouped", "multiplier"), thread="pytorch/pytorch#19912")
def group_offset_of_the_inputs(spec, op, a):
    """Steps through the weights by the input channels of a group where its output channels are meant."""
    rows = len(a["w"])
    step = (spec.in_channels + spec.out_channels - rows) // spec.groups
    start = np.arange(spec.groups)[:, None] * step + np.arange(rows // spec.groups)
    return right(spec, op, {**a, "w": a["w"][start.ravel() % rows]})


@mutant("fprop", defect="indexing", needs=("grouped", "several-channels"), thread="megvii-model/ShuffleNet-Series#17")
def inputs_take_turns(spec, op, a):
    """Deals the input channels out to the groups in turn: reshapes to (n, groups) for (groups, n)."""
    x = reordered(spec, a["x"], in_turn(spec.in_channels, spec.in_channels // spec.groups))
    return right(spec, op, {**a, "x": x})


@mutant("fprop", defect="indexing", needs=("grouped", "several-outputs"), thread="Theano/Theano#6297")
def outputs_take_turns(spec, op, a):
    """Returns the first channel of each group, then the second of each."""
    return reordered(spec, right(spec, op, a), in_turn(spec.out_channels, spec.groups))


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("grouped", "padded"), thread="tracel-ai/burn#4727")
def border_reads_the_first_group(spec, op, a):
    """Where a window touches the padding, its separate loop has no offset of the group."""
    size = spec.in_channels // spec.groups
    first = reordered(spec, a["x"], np.arange(spec.in_channels) % size)
    return np.where(border(spec), right(spec, op, {**a, "x": first}), right(spec, op, a))


@mutant("fprop", defect="indexing", needs=("grouped", "large-kernel"), thread="modular/modular#6129")
def large_kernels_of_the_first_group(spec, op, a):
    """Packs the first group's weights for all groups once the kernel is large."""
    size = len(a["w"]) // spec.groups
    return right(spec, op, {**a, "w": np.concatenate([a["w"][:size]] * spec.groups)})


@mutant("dgrad", defect="indexing", needs=("grouped", "strided"), thread="ml-explore/mlx#3800")
def strided_dgrad_of_the_first_group(spec, op, a):
    """The input gradient of a strided convolution knows no groups: it takes the first one's weights."""
    size = len(a["w"]) // spec.groups
    return right(spec, op, {**a, "w": np.concatenate([a["w"][:size]] * spec.groups)})


@mutant("dgrad", defect="indexing", needs=("grouped", "several-channels"), thread="ROCm/MIOpen#989")
def groups_divided_twice(spec, op, a):
    """The input gradient divides the channels of a group by the groups once more, and writes only so many."""
    size = spec.in_channels // spec.groups
    return without(right(spec, op, a), -spec.ndim - 1, np.arange(spec.in_channels) % size >= max(1, size // spec.groups))


@mutant("wgrad", defect="indexing", needs=("grouped",), thread="PaddlePaddle/Paddle#27006")
def wgrad_of_the_first_group(spec, op, a):
    """The weight gradient of every group is taken with the first group's input."""
    size = spec.in_channels // spec.groups
    return right(spec, op, {**a, "x": reordered(spec, a["x"], np.arange(spec.in_channels) % size)})


@mutant("wgrad", defect="indexing", needs=("3d", "grouped", "stride-over-kernel"), thread="pytorch/pytorch#68868")
def grouped_volumes_step_by_the_kernel(spec, op, a):
    """The weight gradient in 3-D steps by the kernel where the stride is larger."""
    step = tuple(map(min, spec.stride, spec.kernel))
    return as_if(spec, op, a, stride=step, output_padding=())


# --- one channel a group ------------------------------------------------------------------
@mutant("fprop", "dgrad", defect="indexing", needs=("depthwise", "kernel-3", "dilated"), thread="tensorflow/tfjs#6263")
def depthwise_3x3_is_not_dilated(spec, op, a):
    """Its fast path for depthwise kernels of 3 ignores the dilation."""
    return as_if(spec, op, a, dilation=ones(spec))


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("depthwise", "dilated", "padded"), thread="tensorflow/tfjs#5378")
def depthwise_checks_the_tap(spec, op, a):
    """Depthwise, compares the dilated offset of a tap with the border where its position is meant: the border is cut."""
    y = right(spec, op, a)
    return np.where(border(spec), y.dtype.type(0), y)


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("depthwise", "unequal-stride"), thread="tensorflow/tensorflow#85131")
def depthwise_has_one_stride(spec, op, a):
    """Depthwise, takes the first axis' stride for all, forwards and backwards alike."""
    return as_if(spec, op, a, stride=spec.stride[:1] * spec.ndim)


@mutant("fprop", defect="indexing", needs=("depthwise", "several-outputs"), thread="ARM-software/ComputeLibrary#553")
def multiplier_before_channel(spec, op, a):
    """Takes the weights of a depthwise convolution as (multiplier, channel) where they are (channel, multiplier)."""
    if spec.transposed:
        return right(spec, op, {**a, "w": a["w"][:, ::-1]})
    return right(spec, op, {**a, "w": a["w"][in_turn(len(a["w"]), spec.groups)]})


@mutant("fprop", defect="indexing", needs=("depthwise", "input-tail-4"), thread="bhuman/CompiledNN#16")
def depthwise_tail_is_not_written(spec, op, a):
    """Depthwise, computes whole vectors of four channels only."""
    left = tail(spec.in_channels, 4) * spec.out_channels // spec.in_channels
    return without(right(spec, op, a), -spec.ndim - 1, slice(left[0], None))


@mutant(
    "fprop", defect="indexing", needs=("lone-channel", "several-outputs", "unequal-kernel"), thread="tensorflow/tensorflow#27012"
)
def lone_channel_made_depthwise(spec, op, a):
    """Turns a convolution of one input channel into a depthwise one, and its kernel's axes with it."""
    return right(spec, op, {**a, "w": a["w"].swapaxes(2, -1).reshape(a["w"].shape)})


@mutant("wgrad", defect="indexing", needs=("depthwise", "strided", "padded"), thread="uxlfoundation/oneDNN#4124")
def depthwise_wgrad_stops_before_the_padding(spec, op, a):
    """The weight gradient of strided depthwise kernels leaves out the last row of results, which reaches into the padding."""
    narrow = "x" if spec.transposed else "gy"
    return right(spec, op, {**a, narrow: without(a[narrow], -spec.ndim, slice(-1, None))})


@mutant("dgrad", defect="indexing", needs=("depthwise", "strided"), thread="yonghenglh6/DepthwiseConvolution#20")
def depthwise_dgrad_forgets_a_channel(spec, op, a):
    """The input gradient of depthwise kernels of larger strides leaves the last channel at zero."""
    dx = right(spec, op, a)
    channels(spec, dx)[-1] = 0
    return dx
