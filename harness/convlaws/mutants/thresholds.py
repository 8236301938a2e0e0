"""Mutants that are right until something is large: a row, a number of channels, of images, of taps, of results."""

from __future__ import annotations

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.mutants.spoiling import channels, without


# --- width ----------------------------------------------------------------------------------
@mutant("fprop", defect="threshold", needs=("very-long-rows",), thread="pytorch/pytorch#81185")
def garbage_past_512(spec, op, a):
    """Leaves the results of a row past 512 as they were in memory."""
    y = right(spec, op, a)
    y[..., 512:] = np.nan
    return y


@mutant("fprop", "wgrad", defect="threshold", needs=("very-wide",), thread="tenstorrent/tt-metal#14236")
def line_buffer_of_512(spec, op, a):
    """Holds 512 elements of a row, and writes those beyond over the first."""
    order = np.arange(spec.extent[-1]) % 512
    return right(spec, op, {**a, "x": a["x"][..., order]})


@mutant("fprop", defect="threshold", needs=("wide", "taps"), thread="facebookresearch/TensorComprehensions#179")
def element_on_the_seam(spec, op, a):
    """Splits rows into tiles of 32, and reads zero for the first element of the next tile."""
    return right(spec, op, {**a, "x": without(a["x"], -1, slice(31, None, 32))})


@mutant("dgrad", defect="threshold", needs=("very-wide",), thread="ml-explore/mlx#3248")
def dgrad_of_512_columns(spec, op, a):
    """The input gradient is written for 512 columns; the others stay zero."""
    return without(right(spec, op, a), -1, slice(512, None))


# --- channels -----------------------------------------------------------------------------------
@mutant("fprop", defect="threshold", needs=("eight-channels",), thread="modular/modular#6248")
def packs_eight_channels(spec, op, a):
    """Packs the weights of eight channels at once, one of them off by one."""
    w = a["w"].copy()
    axis = 0 if spec.transposed else 1
    at = np.moveaxis(w, axis, 0)
    at[[6, 7]] = at[[7, 6]]
    return right(spec, op, {**a, "w": w})


@mutant("fprop", defect="threshold", needs=("very-many-channels",), thread="tenstorrent/tt-metal#5087")
def block_of_64_channels_overwrites(spec, op, a):
    """Sums blocks of 64 channels, and each block overwrites the one before where it should add."""
    last = (spec.in_channels - 1) // 64 * 64
    return right(spec, op, {**a, "x": without(a["x"], -spec.ndim - 1, slice(last))})


@mutant("fprop", defect="threshold", needs=("very-many-outputs",), thread="mil-tokyo/webdnn#111")
def outputs_past_64_wrap(spec, op, a):
    """Indexes output channels with six bits: past 64 they are the first again."""
    y = right(spec, op, a)
    return np.take(y, np.arange(spec.out_channels) % 64, axis=-spec.ndim - 1)


@mutant("dgrad", defect="threshold", needs=("very-many-outputs",), thread="Dao-AILab/causal-conv1d#32")
def dgrad_of_64_outputs(spec, op, a):
    """The input gradient sums over 64 output channels at most."""
    return right(spec, op, {**a, "gy": without(a["gy"], -spec.ndim - 1, slice(64, None))})


@mutant("wgrad", defect="threshold", needs=("very-many-channels",), thread="Dao-AILab/causal-conv1d#32")
def wgrad_of_64_channels(spec, op, a):
    """The weight gradient is launched for 64 input channels; the others stay zero."""
    return right(spec, op, {**a, "x": without(a["x"], -spec.ndim - 1, slice(64, None))})


@mutant("fprop", defect="threshold", needs=("many-channels", "pointwise"), thread="tenstorrent/tt-metal#16992")
def sixteen_channels_misaligned(spec, op, a):
    """Reads rows of 16 channels and more from one channel further."""
    return right(spec, op, {**a, "x": np.roll(a["x"], -1, -spec.ndim - 1)})


@mutant("fprop", defect="threshold", needs=("many-groups", "bias"), thread="microsoft/onnxruntime#12498")
def bias_of_four_groups(spec, op, a):
    """Keeps the bias of four groups: from the fifth on there is none."""
    return right(spec, op, {**a, "b": without(a["b"], 0, slice(4 * spec.out_channels // spec.groups, None))})


# --- images, taps, products, results ------------------------------------------------------------
@mutant("fprop", defect="threshold", needs=("many-images",), thread="tensorflow/tensorflow#9870")
def images_past_31_are_zero(spec, op, a):
    """Computes 31 images, the largest number that its counter holds."""
    return without(right(spec, op, a), 0, slice(31, None))


@mutant("wgrad", defect="threshold", needs=("many-images",), thread="Theano/Theano#6045")
def wgrad_of_31_images(spec, op, a):
    """The weight gradient adds up 31 images."""
    return right(spec, op, {**a, "gy": without(a["gy"], 0, slice(31, None))})


@mutant("bgrad", defect="threshold", needs=("many-images",), like="wgrad-of-31-images", thread="Theano/Theano#6045")
def bgrad_of_31_images(spec, op, a):
    """The bias gradient adds up 31 images."""
    return right(spec, op, {**a, "gy": without(a["gy"], 0, slice(31, None))})


@mutant("fprop", defect="threshold", needs=("large-kernel",), thread="theFoxofSky/ddfnet#33")
def seven_taps_in_shared_memory(spec, op, a):
    """Has room for seven taps on an axis: those beyond are not read."""
    w = a["w"]
    for axis in range(2, w.ndim):
        w = without(w, axis, slice(7, None))
    return right(spec, op, {**a, "w": w})


@mutant("fprop", "dgrad", "wgrad", defect="process", needs=("very-large-kernel",), thread="pytorch/pytorch#49462")
def no_kernel_for_sixteen_taps(spec, op, a):
    """Has no kernel for 16 taps, and no other way either."""
    raise RuntimeError("SpatialConvolution_updateOutput failed")


@mutant("fprop", defect="threshold", needs=("many-terms", "several-channels"), thread="pytorch/pytorch#163347")
def half_of_the_split_products(spec, op, a):
    """Splits 64 products and more over two workers, and takes the first one's sum."""
    size = spec.in_channels // spec.groups
    second = np.arange(spec.in_channels) % size >= (size + 1) // 2
    return right(spec, op, {**a, "x": without(a["x"], -spec.ndim - 1, second)})


@mutant("fprop", defect="threshold", needs=("very-many-terms", "several-channels"), thread="pytorch/pytorch#84488")
def offsets_of_512_products_wrap(spec, op, a):
    """Its offsets into 512 products and more begin again: the last channel of a group is read as the first."""
    order = np.arange(spec.in_channels).reshape(spec.groups, -1)
    order[:, -1] = order[:, 0]
    return right(spec, op, {**a, "x": np.take(a["x"], order.ravel(), axis=-spec.ndim - 1)})


@mutant("fprop", defect="threshold", needs=("many-results",), thread="pytorch/pytorch#17930")
def last_of_1024_results(spec, op, a):
    """Launches one thread too few for 1,024 results of an image: the last is not filled."""
    y = right(spec, op, a)
    channels(spec, y)[(-1, ..., *(-1,) * spec.ndim)] = 0
    return y


@mutant("dgrad", defect="threshold", needs=("many-results", "strided"), thread="pytorch/pytorch#113833")
def dgrad_of_1023_results(spec, op, a):
    """The strided input gradient takes the first 1,023 results of an image."""
    gy = a["gy"].copy()
    channels(spec, gy)[(-1, ..., *(-1,) * spec.ndim)] = 0
    return right(spec, op, {**a, "gy": gy})


@mutant("fprop", defect="threshold", needs=("lone-channel", "kernel-is-extent", "half", "taps"), thread="pytorch/pytorch#163347")
def one_tap_of_a_tiny_image(spec, op, a):
    """In half precision, sums one tap where the kernel is as large as the image, and there is one channel."""
    kept = np.zeros_like(a["w"])
    first = (..., *(0,) * spec.ndim)
    kept[first] = a["w"][first]
    return right(spec, op, {**a, "w": kept})
