"""Laws of what only some engines have, padding that crops and input dilation: each in terms of a convolution without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convlaws.laws.arrays import every, spread
from convlaws.laws.registry import Ask, law
from convlaws.oracle.claim import Claim
from convlaws.problem.problem import Problem
from convlaws.problem.scope import ALL_PADDINGS, FINITE, NOT_EMPTY, SPATIAL, Scope

# few zeros of their own: with those put between, hardly anything would be left of a weight gradient
_FULL = tuple(fill for fill in FINITE if fill not in ("onehot", "sparse"))
_PLAIN = Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=_FULL, transposed=(False,))


@law(replace(_PLAIN, padding=ALL_PADDINGS, input_dilated=(True,)), specific=5)
def input_dilation_is_zeros_between_inputs(p: Problem, ask: Ask) -> Claim:
    """Dilating an input by i is an input with i - 1 zeros between its elements; its gradient takes every i-th."""
    step, extents = p.spec.input_dilation, p.spec.spaced
    operands = {r: spread(a, step, extents) if r == "x" else a for r, a in p.operands.items()}
    dense = ask(replace(p.spec, extent=extents, input_dilation=()), p.op, operands)
    right = dense.moved(lambda a: a[every(step, p.spec.extent)]) if p.op == "dgrad" else dense
    return Claim.equal(ask(p.spec, p.op, p.operands).called("input dilation"), right.called("zeros between"))


@law(replace(_PLAIN, padding=("negative",)), specific=5)
def negative_padding_crops_the_input(p: Problem, ask: Ask) -> Claim | list[Claim]:
    """Negative padding takes elements off the input; they have no part in the result, and a gradient of zero."""
    off = [(max(0, -low), max(0, -high)) for low, high in p.spec.sides]
    extent = tuple(n - sum(taken) for n, taken in zip(p.spec.extent, off, strict=True))
    if min(extent) < 1:  # zeros only
        return []
    kept = (..., *(slice(low, low + n) for n, (low, _) in zip(extent, off, strict=True)))
    padding = tuple((max(0, low), max(0, high)) for low, high in p.spec.sides)
    operands = {r: np.ascontiguousarray(a[kept]) if r == "x" else a for r, a in p.operands.items()}
    bare = ask(replace(p.spec, extent=extent, padding=padding), p.op, operands)
    right = bare.moved(lambda a: np.pad(a, [(0, 0)] * (a.ndim - len(off)) + off)) if p.op == "dgrad" else bare
    return Claim.equal(ask(p.spec, p.op, p.operands).called("cropped"), right.called("cropped before"))
