"""Mutants of the last step: the bias, the rounding of results, and what becomes of very small and very large ones."""

from __future__ import annotations

import numpy as np

from convlaws.mutants.numerics import tf32
from convlaws.mutants.pieces import storage, widened
from convlaws.mutants.registry import mutant, right
from convlaws.problem.formats import FORMATS


def _away_from(near, wide):
    """`near` moved by one unit towards zero where it lies beyond `wide`."""
    over = np.abs(near.astype(np.float64)) > np.abs(wide.astype(np.float64))
    lower = (near.view(np.uint16) - over.astype(np.uint16)).view(near.dtype)
    return np.where(np.isfinite(wide), lower, near)


# --- the bias --------------------------------------------------------------------------------
@mutant("fprop", defect="precision", thread="analogdevicesinc/ai8x-synthesis#137", needs=("bias",))
def bias_in_half(spec, op, a):
    """Rounds the bias to float16 first."""
    with np.errstate(all="ignore"):
        return right(spec, op, {**a, "b": a["b"].astype(np.float16).astype(a["b"].dtype)})


@mutant("fprop", defect="precision", thread="pytorch/pytorch#134112", needs=("bias", "half"))
def bias_after_rounding(spec, op, a):
    """Rounds the sum to the storage type, then adds the bias in that type."""
    bare = right(spec, op, {r: v for r, v in a.items() if r != "b"})
    with np.errstate(all="ignore"):
        return (bare + a["b"].reshape(-1, *(1,) * spec.ndim)).astype(storage(a))


@mutant("fprop", defect="indexing", thread="uxlfoundation/oneDNN#4656", needs=("bias", "out-tail-4"))
def bias_lost_in_the_tail(spec, op, a):
    """Falls back to a kernel without a bias for the channels past a multiple of four."""
    b = a["b"].copy()
    b[len(b) // 4 * 4 :] = 0
    return right(spec, op, {**a, "b": b})


# --- rounding -----------------------------------------------------------------------------------
@mutant(defect="precision", thread="tenstorrent/tt-metal#19882", needs=("half",))
def truncated(spec, op, a):
    """Truncates the half types instead of rounding to nearest."""
    with np.errstate(all="ignore"):
        wide = right(spec, op, widened(a))
        return _away_from(wide.astype(storage(a)), wide)


@mutant(defect="precision", thread="chainer/chainer#8378", needs=("half",))
def ties_away_from_zero(spec, op, a):
    """Rounds what is halfway between two numbers of a half type away from zero."""
    with np.errstate(all="ignore"):
        wide = right(spec, op, widened(a)).astype(np.float64)
        near = wide.astype(storage(a))
        further = (near.view(np.uint16) + np.uint16(1)).view(near.dtype)
        tie = np.abs(further.astype(np.float64)) - np.abs(wide) == np.abs(wide) - np.abs(near.astype(np.float64))
    return np.where(tie & np.isfinite(wide), further, near)


@mutant("fprop", "dgrad", "wgrad", defect="precision", thread="tenstorrent/tt-llk#569", needs=("half",))
def rounded_twice(spec, op, a):
    """Rounds a result of bfloat16 to TF32 on its way."""
    with np.errstate(all="ignore"):
        return tf32(right(spec, op, widened(a))).astype(storage(a))


# --- small ------------------------------------------------------------------------------------------
def _flushed(y):
    least = FORMATS[y.dtype.name].normal
    return np.where(np.abs(y.astype(np.float64)) < least, y.dtype.type(0), y)


@mutant(defect="precision", thread="tensorflow/tensorflow#36514", needs=("small-numbers",))
def flush_to_zero(spec, op, a):
    """Flushes subnormal results to zero."""
    return _flushed(right(spec, op, a))


@mutant(
    "dgrad", "wgrad", defect="precision", thread="olcf/olcf-user-docs#478", needs=("small-numbers", "half"), like="flush-to-zero"
)
def gradients_flush_to_zero(spec, op, a):
    """Flushes subnormal gradients of the half types to zero, and no other result."""
    return _flushed(right(spec, op, a))


@mutant("fprop", "dgrad", "wgrad", defect="precision", thread="tensorflow/tensorflow#36514", needs=("subnormal",))
def operands_flush_to_zero(spec, op, a):
    """Reads subnormal operands as zero."""
    return right(spec, op, {r: _flushed(v) for r, v in a.items()})


@mutant("fprop", defect="precision", thread="natcap/pygeoprocessing#22", needs=("tiny-products",))
def absolute_epsilon(spec, op, a):
    """Takes results under 1e-6 for zero."""
    y = right(spec, op, a)
    return np.where(np.abs(y.astype(np.float64)) < 1e-6, y.dtype.type(0), y)


# --- large ------------------------------------------------------------------------------------------
@mutant(defect="precision", thread="ROCm/MIOpen#2496", needs=("large-numbers",))
def saturates(spec, op, a):
    """Clips infinite results to the largest number."""
    y = right(spec, op, a)
    most = FORMATS[y.dtype.name].maximum
    with np.errstate(all="ignore"):
        return np.where(np.isinf(y), np.copysign(most, y.astype(np.float64)).astype(y.dtype), y)


@mutant("fprop", defect="precision", thread="openvinotoolkit/openvino#37041", needs=("large-numbers",))
def overflow_becomes_nan(spec, op, a):
    """Gives NaN where a sum is too large, as the next layer's Inf minus Inf."""
    y = right(spec, op, a)
    return np.where(np.isinf(y), y.dtype.type(np.nan), y)


@mutant("fprop", defect="precision", thread="openvinotoolkit/openvino#19409")
def clips_at_a_thousand(spec, op, a):
    """Clips results at 1000: linear only for small data."""
    return np.clip(right(spec, op, a).astype(np.float64), -1000, 1000).astype(a["x"].dtype)
