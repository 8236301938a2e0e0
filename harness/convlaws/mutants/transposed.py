"""Mutants of the transposed convolution: kernel, zeros between elements, groups, cropping and output padding."""

from __future__ import annotations

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.mutants.spoiling import as_if, ones, turned, without


def _taps(spec) -> tuple[int, ...]:
    return tuple(range(2, 2 + spec.ndim))


@mutant("fprop", defect="indexing", needs=("transposed", "taps"), thread="Theano/Theano#5170")
def transposed_unflipped(spec, op, a):
    """Correlates with the kernel as it is where the transpose needs it flipped."""
    return right(spec, op, {**a, "w": np.flip(a["w"], _taps(spec))})


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("transposed", "dilated", "taps"), thread="pytorch/pytorch#1565")
def transposed_is_not_dilated(spec, op, a):
    """Ignores the dilation, forwards and backwards: a gradient check passes."""
    return as_if(spec, op, a, dilation=ones(spec))


@mutant("fprop", "dgrad", defect="indexing", needs=("transposed", "grouped", "several-outputs"), thread="llvm/torch-mlir#4056")
def transposed_groups_permuted(spec, op, a):
    """Turns the weights' channels before it splits the groups off them: the groups' weights are interleaved."""
    w = a["w"]
    mixed = w.reshape(spec.groups, -1, *w.shape[1:]).swapaxes(0, 1).reshape(w.shape)
    return right(spec, op, {**a, "w": mixed[:, ::-1]})


@mutant("fprop", defect="indexing", needs=("transposed", "strided"), thread="keras-team/keras#22876")
def zeros_before_the_elements(spec, op, a):
    """Puts the zeros of the stride before each element where they belong after it: a shifted result."""
    y = right(spec, op, a)
    return np.roll(y, [s - 1 for s in spec.stride], tuple(range(-spec.ndim, 0)))


@mutant("fprop", defect="contract", needs=("transposed", "output-padding"), thread="apache/tvm#18635")
def output_padding_ignored(spec, op, a):
    """Drops the output padding: a smaller result."""
    return right(spec, op, a)[(..., *(slice(n - e) for n, e in zip(spec.output, spec.output_padding, strict=True)))]


@mutant("fprop", defect="indexing", needs=("transposed", "output-padding"), thread="apache/tvm#19524")
def output_padding_is_blank(spec, op, a):
    """Fills the output padding with zeros: neither the kernel nor the bias reaches there."""
    y = right(spec, op, a)
    for axis, extra in enumerate(spec.output_padding):
        y = without(y, axis - spec.ndim, slice(spec.output[axis] - extra, None))
    return y


@mutant(
    "fprop",
    "dgrad",
    "wgrad",
    defect="indexing",
    needs=("transposed", "output-padding-over-stride"),
    thread="pytorch/pytorch#86356",
)
def output_padding_below_the_stride(spec, op, a):
    """Takes the output padding modulo the stride, though a dilation allows more."""
    less = tuple(e % s for e, s in zip(spec.output_padding, spec.stride, strict=True))
    return as_if(spec, op, a, output_padding=less)


@mutant("fprop", defect="indexing", needs=("transposed", "bias", "strided"), thread="uxlfoundation/oneDNN#4656")
def fallback_without_bias(spec, op, a):
    """Falls back to another kernel for strides, which knows no bias."""
    return right(spec, op, {**a, "b": 0 * a["b"]})


@mutant(
    "fprop", "dgrad", "wgrad", defect="indexing", needs=("transposed", "2d", "unequal-padding"), thread="tinygrad/tinygrad#840"
)
def crops_the_other_axis(spec, op, a):
    """Takes the padding of the axes in reverse."""
    return as_if(spec, op, a, padding=turned(spec.sides))


@mutant("fprop", defect="contract", needs=("transposed", "dilated", "taps"), thread="microsoft/onnxruntime#2518")
def reach_by_a_wrong_formula(spec, op, a):
    """Takes kernel + dilation - 1 for the reach of the kernel: right for two taps only."""
    lost = [reach - (r + d - 1) for reach, r, d in zip(spec.reach, spec.kernel, spec.dilation, strict=True)]
    return right(spec, op, a)[(..., *(slice(max(0, n - m)) for n, m in zip(spec.output, lost, strict=True)))]


@mutant("fprop", defect="indexing", needs=("transposed", "strided", "dilated", "taps"), thread="apache/mxnet#13876")
def scatters_dilated_taps_by_the_stride(spec, op, a):
    """Scatters a strided and dilated kernel's taps at multiples of the stride, not of the dilation."""
    return as_if(spec, op, a, dilation=tuple(max(d, s) if d > 1 else 1 for d, s in zip(spec.dilation, spec.stride, strict=True)))


@mutant("fprop", defect="indexing", needs=("transposed", "unstrided", "taps", "several-channels"), thread="alibaba/MNN#933")
def unstrided_is_a_convolution(spec, op, a):
    """Takes an unstrided transposed convolution for a plain one, and reads the weights' channels in its order."""
    return right(spec, op, {**a, "w": a["w"][::-1]})


@mutant("fprop", "dgrad", "wgrad", defect="indexing", needs=("transposed", "grouped"), thread="IntelLabs/bayesian-torch#34")
def dilation_of_the_groups(spec, op, a):
    """Passes the groups where the dilation is expected."""
    return as_if(spec, op, a, dilation=(spec.groups,) * spec.ndim)


@mutant("dgrad", defect="indexing", needs=("transposed", "pointwise", "strided"), thread="pytorch/pytorch#63314")
def transposed_dgrad_is_not_strided(spec, op, a):
    """The input gradient of a transposed 1x1 convolution takes neighbours where it should step by the stride."""
    return as_if(spec, op, a, stride=ones(spec), output_padding=())


@mutant(
    "fprop",
    "dgrad",
    "wgrad",
    defect="indexing",
    needs=("transposed", "pointwise", "padding-over-kernel"),
    thread="ROCm/MIOpen#55",
)
def crops_within_the_kernel(spec, op, a):
    """Crops less than the kernel's extent only."""
    sides = tuple((min(low, r - 1), min(high, r - 1)) for (low, high), r in zip(spec.sides, spec.kernel, strict=True))
    return as_if(spec, op, a, padding=sides)


@mutant("fprop", defect="indexing", needs=("transposed", "uneven-padding"), thread="vdumoulin/conv_arithmetic#11")
def crops_low_what_is_high(spec, op, a):
    """Crops low what is to be cropped high."""
    return as_if(spec, op, a, padding=tuple(side[::-1] for side in spec.sides))
