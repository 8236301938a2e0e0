"""Mutants of what only some engines have: cropping, input dilation, SAME with strides, empty results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.mutants.spoiling import WIDER


@mutant("fprop", scope=WIDER, defect="indexing", needs=("negative-padding",), thread="ml-explore/mlx#548")
def crops_the_other_end(spec, op, a):
    """Takes off high what is to be taken off low, and low what is to be taken off high."""
    sides = tuple((high, low) if min(low, high) < 0 else (low, high) for low, high in spec.sides)
    return right(replace(spec, padding=sides), op, a)


@mutant("fprop", scope=WIDER, defect="indexing", needs=("input-dilated",), thread="ml-explore/mlx#3800")
def input_dilation_repeats(spec, op, a):
    """Repeats the elements of a dilated input where zeros should be between them."""
    x = a["x"]
    for axis, (step, extent) in enumerate(zip(spec.input_dilation, spec.spaced, strict=True)):
        at = axis - spec.ndim
        x = np.repeat(x, step, axis=at).take(range(extent), axis=at)
    return right(replace(spec, extent=spec.spaced, input_dilation=()), op, {**a, "x": x})


@mutant(
    "fprop",
    "dgrad",
    "wgrad",
    scope=WIDER,
    defect="indexing",
    needs=("same-size", "strided", "taps"),
    thread="microsoft/onnxruntime#26734",
)
def same_forgets_the_stride(spec, op, a):
    """Pads for SAME as if the stride were 1: as many results, but of windows that begin elsewhere."""
    halves = [((reach - 1) // 2, reach // 2) for reach in spec.reach]
    sides = tuple(half if spec.padding == "sameupper" else half[::-1] for half in halves)
    return right(replace(spec, padding=sides), op, a)


@mutant("fprop", scope=WIDER, defect="contract", needs=("empty-result",), thread="keras-team/keras#22418")
def one_result_at_least(spec, op, a):
    """Gives a zero where the kernel reaches over more than there is, and there should be nothing."""
    return np.zeros([max(1, n) for n in spec.y_shape], a["x"].dtype)
