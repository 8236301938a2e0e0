"""Mutants that take memory for something else: its layout, its ends, its alignment."""

from __future__ import annotations

import ctypes

import numpy as np

from convlaws.mutants.operands import channels_last, in_memory, repeats, spread_out
from convlaws.mutants.registry import mutant, right


# --- strides ------------------------------------------------------------------------------
@mutant("fprop", defect="memory", thread="pytorch/pytorch#120547", needs=("gaps",))
def layout_misread(spec, op, a):
    """Takes channels_last memory for contiguous."""
    x = a["x"]
    order = np.argsort([-s for s in x.strides], kind="stable")
    return right(spec, op, {**a, "x": np.ascontiguousarray(x.transpose(order)).reshape(x.shape)})


@mutant("fprop", "dgrad", defect="memory", thread="pytorch/pytorch#82060", needs=("channels-last",))
def kernel_layout_misread(spec, op, a):
    """Takes a channels_last kernel for contiguous."""
    return right(spec, op, {**a, "w": _misread(a["w"], channels_last)})


@mutant(
    "dgrad", "wgrad", defect="memory", thread="pytorch/pytorch#170167", needs=("channels-last",), like="kernel-layout-misread"
)
def gradient_layout_misread(spec, op, a):
    """Takes a channels_last output gradient for contiguous."""
    return right(spec, op, {**a, "gy": _misread(a["gy"], channels_last)})


@mutant("fprop", "dgrad", defect="memory", thread="pytorch/pytorch#1246", needs=("sliced",))
def sliced_kernel_misread(spec, op, a):
    """Reads a kernel with gaps between its elements as if there were none."""
    return right(spec, op, {**a, "w": _misread(a["w"], spread_out)})


@mutant("fprop", "wgrad", defect="memory", thread="pytorch/pytorch#180984", needs=("sliced",), like="sliced-kernel-misread")
def sliced_image_misread(spec, op, a):
    """Reads an image with gaps between its elements as if there were none."""
    return right(spec, op, {**a, "x": _misread(a["x"], spread_out)})


@mutant(
    "dgrad",
    "wgrad",
    "bgrad",
    defect="memory",
    thread="fla-org/flash-linear-attention#871",
    needs=("sliced",),
    like="sliced-kernel-misread",
)
def sliced_gradient_misread(spec, op, a):
    """Reads an output gradient with gaps between its elements as if there were none."""
    return right(spec, op, {**a, "gy": _misread(a["gy"], spread_out)})


def _misread(v, test):
    return in_memory(v) if test(v) else v


@mutant("fprop", "wgrad", defect="memory", thread="pytorch/pytorch#16557", needs=("stride-0",))
def repeated_image_read_once(spec, op, a):
    """Copies as much of a repeated image as there is memory, and leaves the rest at zero."""
    return right(spec, op, {**a, "x": _once(a["x"])})


@mutant("dgrad", "wgrad", defect="memory", thread="pytorch/pytorch#708", needs=("stride-0",), like="repeated-image-read-once")
def repeated_gradient_read_once(spec, op, a):
    """Copies as much of a repeated output gradient as there is memory, and leaves the rest at zero."""
    return right(spec, op, {**a, "gy": _once(a["gy"])})


def _once(v):
    first = np.zeros_like(v, order="C")
    first[: 1 if repeats(v) else len(v)] = v[: 1 if repeats(v) else len(v)]
    return first


# --- ends ------------------------------------------------------------------------------------
def _outside(v, steps):
    """The element `steps` before the first one of `v`, or after its last one."""
    last = sum((n - 1) * step for n, step in zip(v.shape, v.strides, strict=True)) if steps > 0 else 0
    bits = (ctypes.c_char * v.itemsize).from_address(v.ctypes.data + last + steps * v.itemsize)
    return np.frombuffer(bits, v.dtype)


def _touched(y, v, steps):
    """`y`, plus zero times what lies outside of `v`."""
    if not v.size:
        return y
    with np.errstate(all="ignore"):
        return y + (_outside(v, steps) * v.dtype.type(0)).astype(y.dtype)


@mutant("fprop", defect="memory", thread="scipy/scipy#8684", needs=("padded",))
def reads_before_the_input(spec, op, a):
    """Adds zero times the element before the input, for padding."""
    return _touched(right(spec, op, a), a["x"], -1)


@mutant("fprop", defect="memory", thread="nntrainer/nntrainer#4345", needs=("width-tail-4",))
def reads_past_the_last_row(spec, op, a):
    """Loads a whole vector for the last results of a row, past the end of the input."""
    return _touched(right(spec, op, a), a["x"], 1)


@mutant("fprop", "dgrad", defect="memory", thread="openvinotoolkit/openvino#36921", needs=("channel-tail-4", "pointwise"))
def reads_past_the_kernel(spec, op, a):
    """Loads a whole vector of channels of a 1x1 kernel, past its end."""
    return _touched(right(spec, op, a), a["w"], 1)


@mutant("dgrad", "wgrad", defect="memory", thread="ROCm/rocm-libraries#9446", needs=("width-tail-8",))
def reads_past_the_gradient(spec, op, a):
    """Loads a whole block of the output gradient, past its end."""
    return _touched(right(spec, op, a), a["gy"], 1)


@mutant("fprop", defect="memory", thread="Tencent/ncnn#315", needs=("strided",))
def unwritten_edge(spec, op, a):
    """Leaves the last column of strided results unwritten."""
    y = right(spec, op, a)
    y[..., -1:] = np.nan
    return y


@mutant("wgrad", defect="memory", thread="FluxML/NNlib.jl#763", needs=("empty-batch",))
def unwritten_gradient_of_no_image(spec, op, a):
    """Leaves the weight gradient unwritten where there is no image to add up."""
    return np.full_like(right(spec, op, a), np.nan)


@mutant("fprop", defect="memory", thread="pytorch/pytorch#81185", needs=("float32", "very-wide", "large-kernel"))
def unwritten_after_a_block(spec, op, a):
    """Leaves what lies after a block of 256 results of a long row unwritten."""
    y = right(spec, op, a)
    y[..., 256:] = np.nan
    return y


@mutant("fprop", defect="memory", thread="monatis/clip.cpp#11", needs=("half", "channel-tail-32"))
def kernel_rounded_up(spec, op, a):
    """Reads a kernel of 32 channels more, and multiplies what is too much by zero."""
    return _touched(right(spec, op, a), a["w"], 1)


@mutant("fprop", "dgrad", defect="memory", thread="pytorch/executorch#17177", needs=("width-tail-32", "misaligned"))
def tail_lost_off_a_boundary(spec, op, a):
    """Shortens its last block by the elements that it read before the first boundary."""
    y = right(spec, op, a)
    y[..., -1] = 0
    return y


# --- axes ------------------------------------------------------------------------------------------
@mutant("fprop", "wgrad", defect="indexing", thread="pytorch/pytorch#80891", needs=("unbatched",))
def first_channel_for_an_image(spec, op, a):
    """Takes the first axis for that of images where there is none, and uses its first entry."""
    x = np.zeros_like(a["x"])
    x[:1] = a["x"][:1]
    return right(spec, op, {**a, "x": x})


@mutant("fprop", "dgrad", "wgrad", defect="indexing", thread="uxlfoundation/oneDNN#438", needs=("pointwise", "dilated"))
def one_tap_off_by_the_dilation(spec, op, a):
    """Moves a kernel of one tap by what the dilation is off by, counted from 0 on one side and from 1 on the other."""
    y = right(spec, op, a)
    return np.roll(y, 1, axis=0 if op == "wgrad" else -1)


@mutant("fprop", defect="indexing", thread="ml-explore/mlx#2190", needs=("1d", "padded"))
def a_line_padded_as_a_plane(spec, op, a):
    """Pads a line's other axis, and loses the last result for it."""
    y = right(spec, op, a)
    y[..., -1:] = 0
    return y


# --- alignment ------------------------------------------------------------------------------------
@mutant("fprop", defect="memory", thread="pytorch/executorch#17177", needs=("misaligned",))
def head_dropped_off_a_boundary(spec, op, a):
    """Begins at the first aligned address, and drops what lies before it."""
    x = a["x"].copy()
    x[..., : -a["x"].ctypes.data % 64 // x.itemsize] = 0
    return right(spec, op, {**a, "x": x})
