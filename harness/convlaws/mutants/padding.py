"""Mutants that pad wrongly: the wrong side, the wrong axis, the wrong copy, or not enough."""

from __future__ import annotations

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.mutants.spoiling import PLAIN, WIDER, as_if, border, turned


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("2d", "uneven-padding"), thread="PaddlePaddle/Paddle#26921")
def last_axis_padded_backwards(spec, op, a):
    """Swaps low and high padding on the last axis only."""
    return as_if(spec, op, a, padding=(*spec.sides[:-1], spec.sides[-1][::-1]))


@mutant("fprop", "dgrad", defect="indexing", needs=("2d", "unequal-padding"), thread="onnx/onnx#7721")
def pads_read_axis_by_axis(spec, op, a):
    """Reads (low, low, high, high) as (low, high, low, high)."""
    (top, bottom), (left, right_) = spec.sides
    return as_if(spec, op, a, padding=((top, left), (bottom, right_)), padding_mode="zeros")


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("2d", "circular", "unequal-padding"), thread="pytorch/pytorch#37844")
def wraps_the_other_axis(spec, op, a):
    """Pads circularly with the axes' padding in reverse: what is lacking is zero."""
    return as_if(spec, op, a, padding=turned(spec.sides))


@mutant("fprop", scope=PLAIN, defect="contract", needs=("circular", "padded"), thread="pytorch/pytorch#29712")
def circular_is_no_padding(spec, op, a):
    """Does not pad at all where the padding is circular: a smaller result."""
    axes = zip(spec.extent, spec.reach, spec.stride, strict=True)
    return right(spec, op, a)[(..., *(slice(max(0, (n - reach) // stride + 1)) for n, reach, stride in axes))]


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("circular", "padded"), thread="pytorch/pytorch#24504")
def wraps_one_element_late(spec, op, a):
    """Begins the low circular padding one element late, at the last but padding plus one."""
    rolled = np.roll(a["x"], 1, tuple(range(-spec.ndim, 0)))
    return np.where(border(spec), right(spec, op, {**a, "x": rolled}), right(spec, op, a))


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("replicate", "padding-2"), thread="scipy/scipy#8684")
def replicates_once(spec, op, a):
    """Repeats the edge once, and pads with zeros beyond."""
    once = tuple((min(low, 1), min(high, 1)) for low, high in spec.sides)
    beyond = tuple((low - min(low, 1), high - min(high, 1)) for low, high in spec.sides)
    x = np.pad(a["x"], [(0, 0)] * (a["x"].ndim - spec.ndim) + list(once), mode="edge")
    return as_if(spec, op, {**a, "x": x}, extent=x.shape[-spec.ndim :], padding=beyond, padding_mode="zeros")


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("2d", "reflect", "padded"), thread="microsoft/onnxruntime#6442")
def reflects_both_axes(spec, op, a):
    """Reflects a padded row, and turns it round as well."""
    rows = [(0, 0)] * (a["x"].ndim - 2)
    (low, _), height = spec.sides[0], spec.extent[0]
    tall = np.pad(a["x"], [*rows, spec.sides[0], (0, 0)], mode="reflect")
    above, image, below = tall[..., :low, :], tall[..., low : low + height, :], tall[..., low + height :, :]
    x = np.pad(
        np.concatenate([above[..., ::-1], image, below[..., ::-1]], axis=-2), [*rows, (0, 0), spec.sides[1]], mode="reflect"
    )
    return as_if(spec, op, {**a, "x": x}, extent=x.shape[-2:], padding="valid", padding_mode="zeros")


@mutant("dgrad", scope=PLAIN, defect="indexing", needs=("padding-mode", "padded"), thread="pytorch/pytorch#100793")
def copies_have_no_gradient(spec, op, a):
    """The input gradient drops what came back through padding by copies."""
    return as_if(spec, op, a, padding_mode="zeros")


@mutant("wgrad", scope=PLAIN, defect="indexing", needs=("padding-mode", "padded"), thread="pytorch/pytorch#23925")
def wgrad_pads_with_zeros(spec, op, a):
    """The weight gradient pads with zeros where the forward pass copied."""
    return as_if(spec, op, a, padding_mode="zeros")


@mutant(
    "fprop",
    "dgrad",
    "wgrad",
    scope=PLAIN,
    defect="indexing",
    needs=("1d", "same", "even-kernel"),
    thread="pytorch/executorch#20558",
)
def same_forgets_the_odd_element(spec, op, a):
    """Pads for 'same' by half the kernel on both sides: of an even kernel one element is lacking."""
    return as_if(spec, op, a, padding=tuple((min(side), min(side)) for side in spec.sides))


@mutant("fprop", "dgrad", "wgrad", scope=PLAIN, defect="indexing", needs=("same", "dilated", "taps"), thread="dmlc/nnvm#307")
def same_forgets_the_dilation(spec, op, a):
    """Pads for 'same' as if the kernel were not dilated."""
    return as_if(spec, op, a, padding=tuple(((r - 1) // 2, r // 2) for r in spec.kernel))


@mutant("fprop", scope=PLAIN, defect="indexing", needs=("same", "unequal-dilation"), thread="tinygrad/tinygrad#17805")
def same_takes_the_other_dilation(spec, op, a):
    """Pads for 'same' with the kernel of one axis and the dilation of another."""
    reach = [d * (r - 1) + 1 for d, r in zip(turned(spec.dilation), spec.kernel, strict=True)]
    return as_if(spec, op, a, padding=tuple(((r - 1) // 2, r // 2) for r in reach))


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("uneven-padding", "strided"), thread="google/XNNPACK#958")
def shares_the_padding_evenly(spec, op, a):
    """Folds uneven padding into a convolution that pads both sides alike, the odd element high."""
    return as_if(spec, op, a, padding=tuple((sum(side) // 2, sum(side) - sum(side) // 2) for side in spec.sides))


@mutant("fprop", defect="indexing", needs=("bias", "padding-over-kernel"), scope=PLAIN, thread="ROCm/MIOpen#55")
def no_bias_beside_the_image(spec, op, a):
    """Skips the windows that lie wholly in the padding, and their bias with them."""
    x = np.ones_like(a["x"])
    seen = as_if(spec, op, {"x": x, "w": np.ones_like(a["w"]), "b": 0 * a["b"]}, padding_mode="zeros")
    y = right(spec, op, a)
    return np.where(seen == 0, y.dtype.type(0), y)


@mutant("fprop", "dgrad", scope=PLAIN, defect="indexing", needs=("padding-over-extent",), thread="pytorch/pytorch#41406")
def padding_within_the_image(spec, op, a):
    """Pads by the input's extent at most."""
    sides = tuple((min(low, n), min(high, n)) for (low, high), n in zip(spec.sides, spec.extent, strict=True))
    return as_if(spec, op, a, padding=sides)


@mutant("fprop", scope=PLAIN, defect="threshold", needs=("padding-6",), thread="modular/modular#6712")
def border_of_the_micro_kernel(spec, op, a):
    """Takes the border for six results wide, the height of its micro-kernel: what is padded further in reads the neighbour."""
    narrow = tuple((min(low, 5), high) for low, high in spec.sides)
    return as_if(spec, op, a, padding=narrow, padding_mode="zeros")


@mutant(
    "fprop",
    "dgrad",
    scope=WIDER,
    defect="indexing",
    needs=("same-lower", "even-kernel", "unstrided"),
    thread="openvinotoolkit/openvino#32854",
)
def same_lower_is_upper(spec, op, a):
    """Puts the odd element of SAME_LOWER high."""
    return as_if(spec, op, a, padding=tuple((min(side), max(side)) for side in spec.sides))


@mutant("fprop", "dgrad", scope=WIDER, defect="indexing", needs=("negative-padding",), thread="ml-explore/mlx#548")
def crops_nothing(spec, op, a):
    """Takes negative padding for none."""
    return as_if(spec, op, a, padding=tuple((max(low, 0), max(high, 0)) for low, high in spec.sides))
