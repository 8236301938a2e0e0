"""Mutants that take one axis for another, forget one, or step wrongly along it; and sizes rounded the wrong way."""

from __future__ import annotations

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.mutants.spoiling import PLAIN, WIDER, as_if, ones, turned, without


# --- height and width -----------------------------------------------------------------------
@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("2d", "unequal-stride"), thread="mlpack/mlpack#3146")
def strides_in_reverse(spec, op, a):
    """Steps down by the width's stride and along by the height's."""
    return as_if(spec, op, a, stride=turned(spec.stride), output_padding=())


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("unequal-dilation",), thread="tenstorrent/tt-metal#19542")
def dilation_of_the_first_axis(spec, op, a):
    """Takes the first axis' dilation for every axis, forwards and backwards."""
    return as_if(spec, op, a, dilation=spec.dilation[:1] * spec.ndim)


@mutant("fprop", defect="indexing", needs=("2d", "unequal-kernel"), thread="apache/tvm#4122")
def kernel_read_by_columns(spec, op, a):
    """Reads the taps column by column."""
    w = a["w"]
    return right(spec, op, {**a, "w": w.reshape(*w.shape[:2], *spec.kernel[::-1]).swapaxes(-1, -2)})


@mutant(
    "fprop", "dgrad", "wgrad", defect="indexing", needs=("2d", "unequal-padding", "strided"), thread="tensorflow/tensorflow#24151"
)
def paddings_in_reverse(spec, op, a):
    """Pads the height by what the width is to be padded by, and the other way round."""
    return as_if(spec, op, a, padding=turned(spec.sides), padding_mode="zeros")


@mutant("fprop", defect="contract", needs=("unequal-kernel", "dilated"), thread="tensorflow/tfjs#649")
def width_from_the_height_of_the_kernel(spec, op, a):
    """Works out the number of columns with the first axis' reach."""
    y = right(spec, op, a)
    less = (spec.reach[0] - spec.reach[-1]) // spec.stride[-1]
    if less > 0 or not y.size:
        return y[..., : max(0, y.shape[-1] - less)]
    return np.concatenate([y, *[y[..., -1:]] * -less], axis=-1)


# --- one axis and three -----------------------------------------------------------------------
@mutant("fprop", scope=PLAIN, defect="indexing", needs=("1d", "strided"), thread="pytorch/pytorch#82921")
def line_steps_on_the_unit_axis(spec, op, a):
    """Makes a plane of height one of a line, and steps by the stride on that height."""
    return as_if(spec, op, a, stride=ones(spec))


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("1d", "dilated", "taps"), thread="deeplearning4j/deeplearning4j#8320")
def line_is_not_dilated(spec, op, a):
    """Makes a plane of a line and forgets its dilation."""
    return as_if(spec, op, a, dilation=ones(spec))


@mutant("fprop", defect="indexing", needs=("1d", "padded"), thread="ml-explore/mlx#2190")
def line_padded_on_the_unit_axis(spec, op, a):
    """Makes a plane of a line and pads its height of one: along the line there is nothing but zeros."""
    return as_if(spec, op, a, padding=((0, 0),))


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("3d", "strided", "unequal-stride"), thread="deepjavalibrary/djl#384")
def depth_steps_like_the_height(spec, op, a):
    """Takes the height's stride for the depth, in all gradients alike."""
    return as_if(spec, op, a, stride=(spec.stride[1], *spec.stride[1:]), output_padding=())


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("3d", "padded"), thread="pytorch/pytorch#197114")
def depth_is_not_padded(spec, op, a):
    """Pads the planes of a volume, not the volume."""
    return as_if(spec, op, a, padding=((0, 0), *spec.sides[1:]))


@mutant("fprop", "dgrad", defect="indexing", needs=("3d", "dilated", "taps"), thread="tensorflow/tensorflow#20908")
def depth_is_not_dilated(spec, op, a):
    """Dilates the kernel in the plane only."""
    return as_if(spec, op, a, dilation=(1, *spec.dilation[1:]))


@mutant("fprop", defect="indexing", needs=("3d", "half", "unequal-kernel", "eights"), thread="pytorch/pytorch#40275")
def flat_half_volumes(spec, op, a):
    """Its half precision kernel for channels in eights takes the last tap of the depth for the first."""
    return right(spec, op, {**a, "w": np.flip(a["w"], 2)})


# --- strides ------------------------------------------------------------------------------------
@mutant("fprop", "dgrad", scope=PLAIN, defect="indexing", needs=("stride-over-kernel",), thread="tensorflow/tensorflow#14601")
def steps_by_the_kernel(spec, op, a):
    """Steps by the kernel where the stride is larger: windows without gaps."""
    return as_if(spec, op, a, stride=tuple(map(min, spec.stride, spec.kernel)))


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("stride-over-extent",), thread="tensorflow/tfjs#5907")
def stride_beyond_the_image(spec, op, a):
    """Gives zeros where the stride is larger than the image."""
    return np.zeros_like(right(spec, op, a))


@mutant("fprop", defect="indexing", needs=("2d", "pointwise", "strided", "several-channels"), thread="pytorch/pytorch#105941")
def strided_pointwise_of_one_channel(spec, op, a):
    """Its path for strided 1x1 kernels reads the first channel of a group only."""
    size = spec.in_channels // spec.groups
    return right(spec, op, {**a, "x": without(a["x"], -spec.ndim - 1, np.arange(spec.in_channels) % size > 0)})


@mutant("dgrad", scope=PLAIN, defect="indexing", needs=("pointwise", "strided"), thread="ROCm/composable_kernel#105")
def pointwise_dgrad_is_not_strided(spec, op, a):
    """The input gradient of strided 1x1 kernels is written without gaps."""
    return as_if(spec, op, a, stride=ones(spec), padding_mode="zeros")


@mutant(
    "fprop",
    "dgrad",
    "wgrad",
    scope=PLAIN,
    defect="indexing",
    needs=("strided", "dilated", "taps"),
    thread="tensorflow/tensorflow#18454",
)
def strided_is_not_dilated(spec, op, a):
    """Drops the dilation where there is a stride, and computes consistent gradients of that."""
    return as_if(spec, op, a, dilation=ones(spec))


# --- how many results -----------------------------------------------------------------------------
@mutant("fprop", scope=PLAIN, defect="contract", needs=("unused-tail",), thread="ARM-software/ComputeLibrary#50")
def results_rounded_up(spec, op, a):
    """Rounds the number of results up: a window more, which reaches past the end."""
    y = right(spec, op, a)
    return np.pad(y, [(0, 0)] * (y.ndim - spec.ndim) + [(0, int(left > 0)) for left in spec.unused])


@mutant(
    "fprop",
    scope=PLAIN,
    defect="contract",
    needs=("depthwise", "strided", "dilated", "taps"),
    thread="tensorflow/tensorflow#57128",
)
def depthwise_size_without_dilation(spec, op, a):
    """Works out the size of strided depthwise results without the dilation."""
    y = right(spec, op, a)
    axes = zip(spec.reach, spec.kernel, spec.stride, strict=True)
    return np.pad(y, [(0, 0)] * (y.ndim - spec.ndim) + [(0, -(-(reach - r) // stride)) for reach, r, stride in axes])


@mutant("fprop", scope=WIDER, defect="contract", needs=("empty-result",), thread="tensorflow/tensorflow#64396")
def input_where_there_is_no_result(spec, op, a):
    """Returns zeros of the input's extent where the kernel is larger, and there should be nothing."""
    lead = spec.y_shape[: -spec.ndim]
    return np.zeros((*lead, *(max(n, 1) for n in spec.extent)), a["x"].dtype)


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("kernel-over-extent",), thread="xmos/ai_tools#88")
def kernel_cut_to_the_image(spec, op, a):
    """Uses no more taps on an axis than the image has elements."""
    w = a["w"]
    for axis, n in enumerate(spec.extent):
        w = without(w, 2 + axis, slice(n, None))
    return right(spec, op, {**a, "w": w})


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("single-result", "padded"), thread="PaddlePaddle/Paddle-Lite#2615")
def single_result_is_a_dot_product(spec, op, a):
    """Multiplies image and kernel element by element where there is one result, and forgets that the image is padded low."""
    return as_if(spec, op, a, padding=tuple((0, low + high) for low, high in spec.sides), padding_mode="zeros")


@mutant("fprop", "dgrad", scope=PLAIN, defect="indexing", needs=("even-kernel",), thread="ARM-software/ComputeLibrary#78")
def even_kernels_lose_the_last_column(spec, op, a):
    """Computes the extent of an even kernel's results as if it had a middle: the last column is lost."""
    if op == "dgrad":
        return right(spec, op, {**a, "gy": without(a["gy"], -1, slice(-1, None))})
    return without(right(spec, op, a), -1, slice(-1, None))
