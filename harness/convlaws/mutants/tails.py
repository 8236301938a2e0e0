"""Mutants that are wrong past the last whole vector: in channels, in width, in results, in images, in taps."""

from __future__ import annotations

from math import prod

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.mutants.spoiling import PLAIN, channels, tail, without


def _outputs_of(spec, op, a, left, image):
    """The answer with `image` in place of x for the output channels `left`."""
    y, other = right(spec, op, a), right(spec, op, {**a, "x": image})
    channels(spec, y)[left] = channels(spec, other)[left]
    return y


# --- input channels -----------------------------------------------------------------------
@mutant("fprop", defect="indexing", needs=("channel-tail-8",), thread="tenstorrent/tt-metal#20808")
def channel_tail_counted_twice(spec, op, a):
    """Ends the sum over channels with a vector that overlaps the one before: its channels count twice."""
    left = tail(spec.in_channels, 8, spec.groups)
    x = a["x"].copy()
    channels(spec, x)[left - 8] *= x.dtype.type(2)
    return right(spec, op, {**a, "x": x})


@mutant("fprop", defect="indexing", needs=("channel-tail-16",), thread="tenstorrent/tt-metal#21284")
def channel_tail_of_the_last_block(spec, op, a):
    """Reads the channels past a multiple of 16 from the block before."""
    order = np.arange(spec.in_channels)
    order[tail(spec.in_channels, 16, spec.groups)] -= 16
    return right(spec, op, {**a, "x": np.take(a["x"], order, axis=-spec.ndim - 1)})


@mutant("wgrad", defect="indexing", needs=("channel-tail-32",), thread="tenstorrent/tt-metal#5087")
def wgrad_channel_tail(spec, op, a):
    """The weight gradient leaves out the channels past a multiple of 32."""
    left = tail(spec.in_channels, 32, spec.groups)
    return right(spec, op, {**a, "x": without(a["x"], -spec.ndim - 1, left)})


@mutant("fprop", defect="threshold", needs=("channel-17",), thread="modular/modular#6248")
def lone_last_channel(spec, op, a):
    """Counts the channels after the last block of 16 from one, so that a single one is none."""
    size = spec.in_channels // spec.groups
    return right(spec, op, {**a, "x": without(a["x"], -spec.ndim - 1, slice(size - 1, None, size))})


# --- output channels ----------------------------------------------------------------------
@mutant("fprop", defect="indexing", needs=("out-tail-4", "bias"), thread="OAID/Tengine#5")
def out_tail_without_bias(spec, op, a):
    """Adds the bias to whole vectors of four output channels only."""
    return right(spec, op, {**a, "b": without(a["b"], 0, tail(spec.out_channels, 4))})


@mutant("fprop", defect="indexing", needs=("out-tail-8",), thread="mil-tokyo/webdnn#111")
def out_tail_shifted(spec, op, a):
    """Stores the last vector of eight output channels at a multiple of eight, though it was computed to end with them."""
    left = tail(spec.out_channels, 8)
    y = right(spec, op, a)
    channels(spec, y)[left] = channels(spec, y)[left[0] - 8 + len(left) : left[0] - 8 + 2 * len(left)].copy()
    return y


@mutant("fprop", defect="indexing", needs=("out-tail-16",), thread="bhuman/CompiledNN#16")
def out_tail_of_the_first_channel(spec, op, a):
    """For the output channels past a multiple of 16 reads the first input channel only."""
    first = without(a["x"], -spec.ndim - 1, slice(1, None))
    return _outputs_of(spec, op, a, tail(spec.out_channels, 16), first)


@mutant("fprop", defect="contract", needs=("out-tail-32",), thread="tenstorrent/tt-metal#10256")
def channels_rounded_up(spec, op, a):
    """Returns as many channels as its tiles have: a multiple of 32."""
    y = right(spec, op, a)
    room = [(0, 0)] * y.ndim
    room[-spec.ndim - 1] = (0, -spec.out_channels % 32)
    return np.pad(y, room)


# --- width --------------------------------------------------------------------------------
@mutant("fprop", defect="indexing", needs=("width-tail-8", "kernel-3", "2d"), thread="Tencent/TNN#394")
def width_tail_repeats(spec, op, a):
    """Gives the results past a multiple of eight those of the vector before."""
    y = right(spec, op, a)
    order = np.arange(y.shape[-1])
    order[tail(y.shape[-1], 8)] -= 8
    return y[..., order]


@mutant("fprop", defect="indexing", needs=("width-tail-16",), thread="modular/modular#6788")
def width_tail_of_the_first_channel(spec, op, a):
    """Sums only the first input channel for the results past a multiple of 16."""
    y = right(spec, op, a)
    left = tail(y.shape[-1], 16)
    y[..., left] = right(spec, op, {**a, "x": without(a["x"], -spec.ndim - 1, slice(1, None))})[..., left]
    return y


@mutant("fprop", defect="contract", needs=("width-tail-32",), thread="tenstorrent/tt-metal#42667")
def width_tail_unwritten(spec, op, a):
    """Leaves the results past a multiple of 32 as they were in memory."""
    y = right(spec, op, a)
    y[..., tail(y.shape[-1], 32)] = np.nan
    return y


@mutant("fprop", defect="threshold", needs=("width-9",), thread="tenstorrent/tt-metal#14236")
def last_column_of_nine(spec, op, a):
    """Does not compute a single result past a multiple of eight."""
    return without(right(spec, op, a), -1, slice(-1, None))


@mutant("dgrad", defect="indexing", needs=("strided", "many-channels", "width-tail-4"), thread="fujitsu/oneDNN#43")
def dgrad_row_tail(spec, op, a):
    """The strided input gradient of many channels drops the results past a multiple of four."""
    return right(spec, op, {**a, "gy": without(a["gy"], -1, tail(spec.output[-1], 4))})


# --- results, images, taps ------------------------------------------------------------------
@mutant("fprop", defect="indexing", needs=("pointwise", "area-tail-4"), thread="Tencent/ncnn#1384")
def flat_tail(spec, op, a):
    """Treats an image of 1x1 kernels as one row, and drops what is past a multiple of four."""
    y = right(spec, op, a)
    flat = y.reshape(*y.shape[: y.ndim - spec.ndim], prod(spec.output))
    flat[..., tail(flat.shape[-1], 4)] = 0
    return flat.reshape(y.shape)


@mutant("fprop", defect="indexing", needs=("odd-images",), thread="Maratyszcza/NNPACK#43")
def images_in_pairs(spec, op, a):
    """Computes two images at a time: the last of an odd number is never written."""
    return without(right(spec, op, a), 0, slice(-1, None))


@mutant("fprop", defect="threshold", needs=("3d", "image-tail-32"), thread="NervanaSystems/neon#361")
def image_tail_of_the_first(spec, op, a):
    """In 3-D, reads the images past a multiple of 32 from the batch's beginning."""
    return right(spec, op, {**a, "x": a["x"][np.arange(spec.batch) % 32]})


@mutant("wgrad", defect="indexing", needs=("image-tail-4",), thread="mlpack/mlpack#3679")
def wgrad_drops_the_last_chunk(spec, op, a):
    """The weight gradient adds up chunks of four images, and forgets the last one if it is not full."""
    return right(spec, op, {**a, "gy": without(a["gy"], 0, tail(spec.batch, 4))})


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("kernel-tail-4",), thread="pytorch/pytorch#163347")
def taps_in_fours(spec, op, a):
    """Unrolls the taps of a row by four and drops the rest, in all gradients alike."""
    left = tail(spec.kernel[-1], 4)
    if op == "wgrad":
        return without(right(spec, op, a), -1, left)
    return right(spec, op, {**a, "w": without(a["w"], -1, left)})


@mutant("fprop", defect="indexing", scope=PLAIN, needs=("2d", "kernel-3", "odd-results", "unstrided"), thread="Tencent/ncnn#1111")
def tiles_of_two(spec, op, a):
    """Computes 3x3 kernels in tiles of two: the last column of an odd number takes the row above."""
    y = right(spec, op, a)
    y[..., 1:, -1] = y[..., :-1, -1].copy()
    return y
