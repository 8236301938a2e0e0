"""An answer as the sum of partial sums, which mutants then add up incorrectly."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np

from convlaws.mutants.registry import Arrays, right
from convlaws.problem.spec import ConvSpec


def storage(a: Arrays) -> np.dtype:
    """The dtype of the operands."""
    return next(iter(a.values())).dtype


def widened(a: Arrays) -> dict[str, np.ndarray]:
    """The operands in the accumulator's dtype: float32 for the half types."""
    return {role: v.astype(np.float32) if v.dtype.itemsize == 2 else v for role, v in a.items()}


def rounded(a: Arrays, narrow: np.dtype | type) -> dict[str, np.ndarray]:
    """The operands rounded to another dtype and back."""
    with np.errstate(all="ignore"):
        return {role: v.astype(narrow).astype(v.dtype) for role, v in a.items()}


def pieces(spec: ConvSpec, op: str, a: Arrays, size: int) -> list[np.ndarray]:
    """The partial sums, of at most `size` terms each, of each result, in the accumulator's dtype; the first has the bias.

    A single piece if an operand is not finite: the zeros that replace terms would meet it.
    """
    wide, role = widened(a), "w" if "w" in a else "gy"
    v, keep = wide[role], int((op == "dgrad") != spec.transposed) if role == "w" else int(spec.batch is not None)
    rest = (*v.shape[:keep], *v.shape[keep + 1 :])
    if not v.size or not all(np.isfinite(o).all() for o in wide.values()):
        return [right(spec, op, wide)]
    number = np.expand_dims(np.arange(prod(rest)).reshape(rest) // size, keep)
    parts = [{**wide, role: np.where(number == n, v, v.dtype.type(0))} for n in range(int(number.max()) + 1)]
    later = [{r: o for r, o in part.items() if r != "b"} for part in parts[1:]]
    return [right(spec, op, part) for part in (parts[0], *later)]


def added(parts: Iterable[np.ndarray], dtype: np.dtype | type) -> np.ndarray:
    """The sum in `dtype`, every partial sum rounded to it."""
    first, *rest = parts
    with np.errstate(all="ignore"):
        total = first.astype(dtype)
        for part in rest:
            total = (total + part.astype(dtype)).astype(dtype)
    return total
