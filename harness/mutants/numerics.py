"""Mutants that compute the right thing too coarsely, or lose special values."""

from __future__ import annotations

import numpy as np

from convlaws.formats import FORMATS
from convlaws.mutants.registry import mutant, right


def _through(narrow, a):
    """The operands rounded to a narrower type and back."""
    with np.errstate(all="ignore"):
        return {role: v.astype(narrow).astype(v.dtype) for role, v in a.items()}


def _tf32(v):
    bits = v.astype(np.float32).view(np.uint32)
    return ((bits + 0x1000) & 0xFFFFE000).view(np.float32).astype(v.dtype)


@mutant(defect="precision", thread="?")
def tf32_operands(spec, op, a):
    """Rounds float32 operands to TF32 first."""
    return right(spec, op, {r: _tf32(v) if v.dtype == np.float32 else v for r, v in a.items()})


@mutant(defect="precision", thread="?")
def bf16_operands(spec, op, a):
    """Rounds the operands to bfloat16 first."""
    return right(spec, op, _through(FORMATS["bfloat16"].dtype, a))


@mutant("fprop", defect="precision", thread="?")
def bias_in_half(spec, op, a):
    """Rounds the bias to float16 first."""
    with np.errstate(all="ignore"):
        b = {"b": a["b"].astype(np.float16).astype(a["b"].dtype)} if "b" in a else {}
    return right(spec, op, {**a, **b})


@mutant("fprop", defect="precision", thread="?")
def half_accumulation(spec, op, a):
    """Adds the input channels up in float16."""
    if spec.transposed or a["x"].dtype == np.float64:
        return right(spec, op, a)
    columns = a["w"].shape[1]
    total = np.zeros(spec.y_shape, np.float16)
    with np.errstate(all="ignore"):
        for c in range(columns):
            w = np.zeros_like(a["w"])
            w[:, c] = a["w"][:, c]
            bias = {"b": a["b"] if c == 0 else 0 * a["b"]} if "b" in a else {}
            total += right(spec, op, {"x": a["x"], "w": w, **bias}).astype(np.float16)
    return total.astype(a["x"].dtype)


@mutant(defect="precision", thread="?")
def double_in_single(spec, op, a):
    """Computes float64 in float32."""
    if next(iter(a.values())).dtype != np.float64:
        return right(spec, op, a)
    with np.errstate(all="ignore"):
        return right(spec, op, {r: v.astype(np.float32) for r, v in a.items()}).astype(np.float64)


@mutant(defect="precision", thread="?")
def truncated(spec, op, a):
    """Truncates the half types instead of rounding to nearest."""
    dtype = next(iter(a.values())).dtype
    if dtype.itemsize > 2:
        return right(spec, op, a)
    with np.errstate(all="ignore"):
        wide = right(spec, op, {r: v.astype(np.float32) for r, v in a.items()})
        near = wide.astype(dtype)
        over = np.abs(near.astype(np.float32)) > np.abs(wide)
        lower = (near.view(np.uint16) - over.astype(np.uint16)).view(dtype)
    return np.where(np.isfinite(wide), lower, near)


@mutant(defect="precision", thread="?")
def flush_to_zero(spec, op, a):
    """Flushes subnormal results to zero."""
    y = right(spec, op, a)
    least = np.finfo(y.dtype).smallest_normal if y.dtype.name != "bfloat16" else np.float32(2.0**-126)
    return np.where(np.abs(y.astype(np.float64)) < float(least), y.dtype.type(0), y)


@mutant("fprop", defect="precision", thread="?")
def absolute_epsilon(spec, op, a):
    """Takes results under 1e-6 for zero."""
    y = right(spec, op, a)
    return np.where(np.abs(y.astype(np.float64)) < 1e-6, y.dtype.type(0), y)


@mutant("fprop", "dgrad", "wgrad", defect="precision", thread="?")
def nan_swallowed(spec, op, a):
    """Treats NaN as zero."""
    return right(spec, op, {r: np.where(np.isnan(v), v.dtype.type(0), v) for r, v in a.items()})


@mutant(defect="precision", thread="?")
def saturates(spec, op, a):
    """Clips infinite results to the largest number."""
    y = right(spec, op, a)
    most = float(np.finfo(y.dtype).max) if y.dtype.name != "bfloat16" else 3.3895e38
    with np.errstate(all="ignore"):
        return np.where(np.isinf(y.astype(np.float64)), np.copysign(most, y.astype(np.float64)).astype(y.dtype), y)


@mutant("fprop", defect="precision", thread="?")
def clips_at_a_thousand(spec, op, a):
    """Clips results at 1000: linear only for small data."""
    return np.clip(right(spec, op, a).astype(np.float64), -1000, 1000).astype(a["x"].dtype)
