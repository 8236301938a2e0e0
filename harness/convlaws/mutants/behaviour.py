"""Mutants that break the contract of a function: types, shapes, exceptions where there is nothing to complain of."""

from __future__ import annotations

import os

import numpy as np

from convlaws.mutants.registry import mutant, right


# --- shapes ----------------------------------------------------------------------------------
@mutant("fprop", defect="contract", thread="clovaai/rexnet#20")
def broadcastable_shape(spec, op, a):
    """Drops the axes of size one."""
    return np.squeeze(right(spec, op, a))


@mutant("fprop", defect="contract", thread="data-apis/array-api#921", needs=("one-place",), like="broadcastable-shape")
def a_scalar_for_one_place(spec, op, a):
    """Returns the channels alone where there is one image of one place."""
    return right(spec, op, a).reshape(-1)


@mutant("bgrad", defect="contract", thread="ml-explore/mlx#2184")
def bias_gradient_keeps_an_axis(spec, op, a):
    """Returns the bias gradient with the batch axis that it was summed over."""
    return right(spec, op, a)[None]


@mutant("wgrad", defect="contract", thread="PaddlePaddle/Paddle#27006", needs=("grouped",))
def weight_gradient_in_groups(spec, op, a):
    """Returns the weight gradient with an axis of groups."""
    w = right(spec, op, a)
    return w.reshape(spec.groups, -1, *w.shape[1:])


@mutant("wgrad", defect="contract", thread="apache/systemds#541", needs=("transposed",))
def weight_gradient_of_the_plain_one(spec, op, a):
    """Returns a transposed convolution's weight gradient with input and output channels exchanged."""
    return np.ascontiguousarray(right(spec, op, a).swapaxes(0, 1))


@mutant("fprop", defect="contract", thread="tensorflow/tensorflow#30968", needs=("empty-batch",))
def empty_batch_keeps_its_shape(spec, op, a):
    """Returns an empty batch as it came, with the input's shape."""
    return a["x"].copy()


@mutant("fprop", defect="contract", thread="pytorch/pytorch#24341", needs=("transposed", "empty-batch"))
def nothing_for_no_image(spec, op, a):
    """Returns nothing from a transposed convolution of no image."""


# --- types ----------------------------------------------------------------------------------------
@mutant("fprop", defect="contract", thread="onnx/onnx#5230")
def wrong_dtype(spec, op, a):
    """Returns float64 whatever came in."""
    return right(spec, op, a).astype(np.float64)


@mutant("wgrad", "bgrad", defect="contract", thread="onnx/onnx#5230", needs=("half",), like="wrong-dtype")
def gradients_in_single(spec, op, a):
    """Returns the accumulator of a half type's gradients."""
    return right(spec, op, a).astype(np.float32)


@mutant("fprop", defect="contract", thread="pytorch/pytorch#83686", needs=("half", "bias"), like="wrong-dtype")
def bias_decides_the_type(spec, op, a):
    """Adds a bias in float32, and returns that type."""
    return right(spec, op, a).astype(np.float32)


# --- exceptions --------------------------------------------------------------------------------------
@mutant("fprop", defect="contract", thread="tensorflow/tensorflow#889", needs=("stride-over-kernel",))
def raises_on_a_large_stride(spec, op, a):
    """Raises where the stride is larger than the kernel."""
    raise ValueError("stride exceeds kernel")


@mutant("fprop", defect="contract", thread="pytorch/pytorch#184986", needs=("unbatched", "padding-mode"))
def raises_on_padding_without_a_batch(spec, op, a):
    """Raises where an input without a batch axis is padded with copies."""
    raise RuntimeError("expected a batched input")


@mutant("fprop", "dgrad", "wgrad", defect="contract", thread="keras-team/keras#22564", needs=("empty-batch",))
def raises_on_an_empty_batch(spec, op, a):
    """Takes an empty batch for a kernel that does not fit."""
    raise ValueError("computed output size would be zero or negative")


@mutant("fprop", defect="contract", thread="tensorflow/tensorflow#53055", needs=("depthwise", "strided", "anisotropic"))
def raises_on_unequal_strides(spec, op, a):
    """Raises where a strided depthwise convolution has axes of different parameters."""
    raise ValueError("strides must be equal")


# --- innocent ---------------------------------------------------------------------------------------------
@mutant("fprop", defect="contract", thread="karpathy/llama2.c#245")
def chatters(spec, op, a):
    """Prints, also to the raw descriptor: wrong in nothing, and must not be found."""
    print("conv2d: using algorithm 7")
    os.write(1, b'{"ok": true}\n\xff\x00')
    return right(spec, op, a)
