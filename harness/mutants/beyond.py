"""Mutants of what only some engines have: cropping, input dilation, SAME with strides, empty results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.scope import WIDE, Scope

_EVERYTHING = Scope(**WIDE, macs=50_000)


@mutant("fprop", scope=_EVERYTHING, defect="indexing", thread="?")
def crops_the_other_end(spec, op, a):
    """Takes off high what is to be taken off low, and low what is to be taken off high."""
    if min(map(min, spec.sides)) >= 0:
        return right(spec, op, a)
    sides = tuple((high, low) if min(low, high) < 0 else (low, high) for low, high in spec.sides)
    return right(replace(spec, padding=sides), op, a)


@mutant("fprop", scope=_EVERYTHING, defect="indexing", thread="?")
def input_dilation_repeats(spec, op, a):
    """Repeats the elements of a dilated input where zeros should be between them."""
    if max(spec.input_dilation) == 1 or not a["x"].size:
        return right(spec, op, a)
    x = a["x"]
    for axis, (step, extent) in enumerate(zip(spec.input_dilation, spec.spaced, strict=True)):
        at = axis - spec.ndim
        x = np.repeat(x, step, axis=at).take(range(extent), axis=at)
    return right(replace(spec, extent=spec.spaced, input_dilation=()), op, {**a, "x": x})


@mutant("fprop", "dgrad", "wgrad", scope=_EVERYTHING, defect="indexing", thread="?")
def same_forgets_the_stride(spec, op, a):
    """Pads for SAME as if the stride were 1: as many results, but of windows that begin elsewhere."""
    if spec.padding not in ("sameupper", "samelower") or 0 in spec.extent:
        return right(spec, op, a)
    halves = [((reach - 1) // 2, reach // 2) for reach in spec.reach]
    sides = tuple(half if spec.padding == "sameupper" else half[::-1] for half in halves)
    return right(replace(spec, padding=sides), op, a)


@mutant("fprop", scope=_EVERYTHING, defect="indexing", thread="?")
def one_result_at_least(spec, op, a):
    """Gives a zero where the kernel reaches over more than there is, and there should be nothing."""
    y = right(spec, op, a)
    return y if y.size else np.zeros([max(1, n) for n in y.shape], y.dtype)
