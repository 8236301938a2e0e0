"""Mutants that lose Inf and NaN, or let them go where they do not belong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.problem.formats import FORMATS


def _finite(v):
    return np.where(np.isfinite(v), v, v.dtype.type(0))


def _poisoned(y, other):
    """`y`, and NaN where `other` is not finite: the product of that and a zero."""
    with np.errstate(all="ignore"):
        return (y + other * y.dtype.type(0)).astype(y.dtype)


# --- lost ------------------------------------------------------------------------------------
@mutant("fprop", "dgrad", "wgrad", defect="special values", thread="apache/mxnet#11115", needs=("nan",))
def nan_swallowed(spec, op, a):
    """Treats NaN as zero."""
    return right(spec, op, {r: np.where(np.isnan(v), v.dtype.type(0), v) for r, v in a.items()})


@mutant(
    "fprop",
    "dgrad",
    "wgrad",
    "bgrad",
    defect="special values",
    thread="vllm-project/vllm#55346",
    needs=("nan",),
    like="nan-swallowed",
)
def bounds_drop_nan(spec, op, a):
    """Bounds its results by comparisons that are false for NaN, and give the bound."""
    y = right(spec, op, a)
    return np.fmax(y, y.dtype.type(-np.inf)).astype(y.dtype)


@mutant("fprop", "dgrad", "wgrad", defect="special values", thread="openvinotoolkit/openvino#29744", needs=("inf",))
def inf_is_the_largest_number(spec, op, a):
    """Reads an infinity as the largest number of its type."""
    with np.errstate(all="ignore"):
        most = {r: v.dtype.type(FORMATS[v.dtype.name].maximum) for r, v in a.items()}
        return right(spec, op, {r: np.where(np.isinf(v), np.copysign(most[r], v), v).astype(v.dtype) for r, v in a.items()})


@mutant("fprop", defect="special values", thread="Reference-LAPACK/lapack#179", needs=("inf", "zero"))
def zero_taps_are_skipped(spec, op, a):
    """Skips the taps that are zero, though they meet an infinity."""
    seen = {r: (v != 0 if r == "w" else ~np.isfinite(v)).astype(v.dtype) for r, v in a.items() if r != "b"}
    calm = right(spec, op, {**a, "x": _finite(a["x"])})
    return np.where(right(spec, op, seen) > 0, right(spec, op, a), calm)


# --- made ---------------------------------------------------------------------------------------
@mutant("fprop", defect="special values", thread="tinygrad/tinygrad#11760", needs=("inf", "padded"))
def padding_masked_by_a_product(spec, op, a):
    """Reads the nearest element where there is padding, and multiplies it by zero."""
    if spec.transposed:
        return right(spec, op, a)
    edges = replace(spec, padding=spec.sides, padding_mode="replicate", bias=False)
    return _poisoned(right(spec, op, a), right(edges, op, {"x": a["x"], "w": a["w"]}))


@mutant("fprop", defect="special values", thread="pytorch/pytorch#157237", needs=("nan", "images"))
def nan_enters_the_next_image(spec, op, a):
    """Lets a NaN at the end of an image into the first result of the next one."""
    y = right(spec, op, a)
    sick = np.isnan(a["x"]).any(axis=tuple(range(1, a["x"].ndim)))
    y[1:][sick[:-1], ..., 0] = np.nan
    return y


@mutant("fprop", "dgrad", defect="special values", thread="ml-explore/mlx#3800", needs=("nan", "grouped"))
def nan_crosses_groups(spec, op, a):
    """Computes groups by one kernel with zeros from group to group, which a NaN survives."""
    rows, columns = spec.w_shape[:2]
    group = np.arange(rows)[:, None] // (rows // spec.groups)
    w = np.zeros((rows, columns * spec.groups, *spec.kernel), a["w"].dtype)
    w[np.arange(rows)[:, None], group * columns + np.arange(columns)] = a["w"]
    return right(replace(spec, groups=1), op, {**a, "w": w})


@mutant("fprop", defect="special values", thread="XiaoMi/mace#345", needs=("inf", "channel-tail-4", "images"))
def tail_channels_masked_by_a_product(spec, op, a):
    """Fills a vector of four channels up with the next image's first ones, times zero."""
    return _poisoned(right(spec, op, a), right(spec, op, {**a, "x": np.roll(a["x"], -1, 0)}))


@mutant(defect="special values", thread="microsoft/onnxruntime#18473", needs=("minus-zero",))
def minus_zero_is_nan(spec, op, a):
    """Reads a zero of sign - as the NaN that has its bits in a format without signed zeros."""
    return right(spec, op, {r: np.where((v == 0) & np.signbit(v), v.dtype.type(np.nan), v) for r, v in a.items()})
