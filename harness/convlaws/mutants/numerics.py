"""Mutants that round what they should not, or compute in a narrower type."""

from __future__ import annotations

import numpy as np

from convlaws.methods.base import run
from convlaws.methods.fft import Fft
from convlaws.methods.winograd import Winograd6
from convlaws.mutants.pieces import added, pieces, rounded, storage
from convlaws.mutants.registry import mutant, right
from convlaws.problem.formats import FORMATS


def bf16():
    """The type, where it is asked for: the environment of an engine need not have it."""
    return FORMATS["bfloat16"].dtype


def tf32(v):
    """`v` rounded to the 10 fraction bits of TF32, ties away from zero."""
    bits = v.astype(np.float32).view(np.uint32)
    return ((bits + 0x1000) & 0xFFFFE000).view(np.float32).astype(v.dtype)


# --- operands ----------------------------------------------------------------------------
@mutant(defect="precision", thread="pytorch/pytorch#107514", needs=("float32",))
def tf32_operands(spec, op, a):
    """Rounds float32 operands to TF32 first."""
    return right(spec, op, {r: tf32(v) for r, v in a.items()})


@mutant("fprop", defect="precision", thread="pytorch/pytorch#179445", needs=("float32",), like="tf32-operands")
def tf32_weights(spec, op, a):
    """Rounds the kernel to TF32, and nothing else."""
    return right(spec, op, {**a, "w": tf32(a["w"])})


@mutant("fprop", defect="precision", thread="tenstorrent/tt-metal#54675", needs=("float32", "depthwise"))
def cut_off_operands(spec, op, a):
    """Cuts operands of a depthwise convolution off after 10 fraction bits."""
    short = {r: (v.astype(np.float32).view(np.uint32) & 0xFFFFE000).view(np.float32) for r, v in a.items()}
    return right(spec, op, short)


@mutant(defect="precision", thread="ARM-software/Tool-Solutions#247")
def bf16_operands(spec, op, a):
    """Rounds the operands to bfloat16 first."""
    return right(spec, op, rounded(a, bf16()))


@mutant("dgrad", "wgrad", defect="precision", thread="ROCm/composable_kernel#671", needs=("half",), like="bf16-operands")
def bf16_products_of_float16(spec, op, a):
    """Multiplies float16 as bfloat16 in the gradients, for the range of its exponent."""
    return right(spec, op, rounded(a, bf16()))


@mutant("fprop", defect="precision", thread="ml-explore/mlx#3953", needs=("float32", "stride-0"))
def half_where_images_repeat(spec, op, a):
    """Takes a path in float16 where one image is repeated over the batch."""
    return right(spec, op, rounded(a, np.float16))


@mutant(defect="precision", thread="xarray-contrib/xarray-spatial#1097", needs=("float64",))
def double_in_single(spec, op, a):
    """Computes float64 in float32."""
    return _in_single(spec, op, a)


@mutant("wgrad", defect="precision", thread="keras-team/keras#10964", needs=("float64",), like="double-in-single")
def double_gradient_in_single(spec, op, a):
    """Computes the weight gradient of float64 in float32."""
    return _in_single(spec, op, a)


@mutant("fprop", defect="precision", thread="xarray-contrib/xarray-spatial#3684", needs=("float64", "whole-numbers"))
def integers_in_single(spec, op, a):
    """Holds whole numbers in float32, also those above 2^24."""
    return _in_single(spec, op, a)


def _in_single(spec, op, a):
    with np.errstate(all="ignore"):
        return right(spec, op, {r: v.astype(np.float32) for r, v in a.items()}).astype(np.float64)


@mutant("fprop", defect="precision", thread="modular/modular#6248", needs=("float32", "2d", "very-many-channels"))
def tf32_for_many_channels(spec, op, a):
    """Takes tensor cores, and TF32 with them, for many channels."""
    return right(spec, op, {r: tf32(v) for r, v in a.items()})


# --- sums --------------------------------------------------------------------------------
@mutant("fprop", defect="precision", thread="tenstorrent/tt-metal#34952", needs=("float32",))
def half_accumulation(spec, op, a):
    """Adds the input channels up in float16."""
    taps = int(np.prod(spec.kernel))
    return added(pieces(spec, op, a, taps), np.float16).astype(np.float32)


@mutant("fprop", "dgrad", defect="precision", thread="uxlfoundation/oneDNN#5041", needs=("half", "few-channels"))
def small_sums_in_half(spec, op, a):
    """Adds products up in the storage type where there are few channels."""
    return added(pieces(spec, op, a, 1), storage(a))


@mutant("fprop", defect="precision", thread="openvinotoolkit/openvino#25525", needs=("half", "many-terms"))
def blocks_added_in_half(spec, op, a):
    """Adds blocks of eight products in float32, and the blocks in the storage type."""
    return added(pieces(spec, op, a, 8), storage(a))


@mutant("fprop", defect="precision", thread="modular/modular#7165", needs=("half", "many-terms"), like="blocks-added-in-half")
def split_sums_in_half(spec, op, a):
    """Stores the sums of two halves of the terms in the storage type before it adds them."""
    terms = a["w"][0].size
    return added(pieces(spec, op, a, -(-terms // 2)), storage(a))


@mutant("wgrad", defect="precision", thread="ROCm/rocm-libraries#8029", needs=("half", "images"))
def image_gradients_in_half(spec, op, a):
    """Stores the weight gradient of each image in the storage type before it adds them."""
    places = int(np.prod(spec.output))
    return added(pieces(spec, op, a, places), storage(a))


@mutant("wgrad", defect="precision", thread="ROCm/rocm-libraries#8029", needs=("half", "many-images"))
def many_gradients_in_half(spec, op, a):
    """Adds the weight gradients of four parts of a large batch up in the storage type."""
    terms = int(np.prod(spec.output)) * spec.images
    return added(pieces(spec, op, a, -(-terms // 4)), storage(a))


@mutant("bgrad", defect="precision", thread="tensorflow/tensorflow#27213", needs=("half",))
def bias_gradient_in_half(spec, op, a):
    """Adds the bias gradient up in the storage type."""
    return added(pieces(spec, op, a, 1), storage(a))


@mutant("fprop", defect="precision", thread="jax-ml/jax#23007", needs=("half", "many-terms"), like="small-sums-in-half")
def compensation_lost(spec, op, a):
    """Adds in the storage type with a compensation that the compiler has taken for zero."""
    return added(pieces(spec, op, a, 1), storage(a))


@mutant("fprop", defect="precision", thread="tenstorrent/tt-metal#34952", needs=("float32", "many-terms"))
def long_sums_in_bf16(spec, op, a):
    """Adds blocks of sixteen products of float32 in bfloat16."""
    return added(pieces(spec, op, a, 16), bf16()).astype(np.float32)


@mutant("fprop", defect="precision", thread="uxlfoundation/oneDNN#1499", needs=("half",))
def rounded_products(spec, op, a):
    """Rounds each product to the storage type before it is added in float32."""
    return added([part.astype(storage(a)) for part in pieces(spec, op, a, 1)], np.float32).astype(storage(a))


# --- algorithms that the contract does not allow -------------------------------------------
@mutant("fprop", "dgrad", defect="precision", thread="ROCm/rocm-libraries#3508", needs=("3x3",))
def undeclared_winograd(spec, op, a):
    """Takes Winograd's F(6x6, 3x3), whose points go up to 2, without a word."""
    return run(Winograd6, spec, op, a)


@mutant("fprop", "dgrad", "wgrad", defect="precision", thread="scipy/scipy#22390", needs=("large-kernel",))
def undeclared_fourier(spec, op, a):
    """Takes a Fourier transform in the operands' type for large kernels, without a word."""
    return run(Fft, spec, op, a)
