"""The oracle: a convolution and its gradients by the definition, in higher precision.

It shares no code with what it judges: it has three linear maps, and applies them to other arrays for everything
else. For each result it gives

    R  the value                     sum of the products
    S  its absolute twin             sum of their absolute values
    n  the number of non-zero terms

and, where an operand holds Inf or NaN, which results must or may be NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from convlaws.oracle.definition import Array, Operands, apply
from convlaws.oracle.nonfinite import classes
from convlaws.problem.spec import ConvSpec

# longdouble is 80-bit on x86, plain double elsewhere, where float64 is therefore judged by exact fractions
EXTENDED = np.finfo(np.longdouble).machep == -63


def precision_for(dtype: np.dtype) -> tuple[type, float]:
    """Return (type to sum in, its unit roundoff): float64 holds the products of all narrower types."""
    if dtype != np.float64:
        return np.float64, 2.0**-53
    return (np.longdouble, 2.0**-64) if EXTENDED else (np.object_, 0.0)


@dataclass(frozen=True)
class Answer:
    """The result of the definition for one op on given operands; arrays have the result's shape.

    `nan` is 0 where a result must not be NaN, 1 where it may be (structural
    zeros met an Inf), 2 where it must be; None if every operand is finite.
    `infinite` is +-Inf where the result must be, else 0.
    """

    spec: ConvSpec
    op: str
    operands: Operands
    R: Array
    S: Array
    n: Array
    unit: float
    nan: Array | None = None
    infinite: Array | None = None

    @cached_property
    def lowest(self) -> tuple[Array, ...]:
        """The operands as float64, for the exactness certificate."""
        return tuple(np.asarray(a, np.float64) for a in self.operands.values())


def answer(spec: ConvSpec, op: str, operands: Operands, *, exact: bool = False) -> Answer:
    """Return R, S, n of `op` on `operands` (see `Problem` for the operands of each op).

    `exact=True` sums Python fractions: slow, no rounding at all; for tests of the oracle itself.
    """
    kind, unit = precision_for(next(iter(operands.values())).dtype)
    kind, unit = (np.object_, 0.0) if exact else (kind, unit)
    finite = all(_all_finite(a) for a in operands.values())
    clean = operands if finite else {k: np.where(np.isfinite(a), a, 0).astype(a.dtype) for k, a in operands.items()}
    stacks = {role: _threefold(_cast(a, kind)) for role, a in clean.items()}
    with np.errstate(all="ignore"):
        R, S, n = apply(spec, op, stacks)
        nonfinite = {} if finite else classes(spec, op, operands, R.shape)
    return Answer(spec, op, operands, R, floats(S), floats(n), unit, **nonfinite)


def _all_finite(a: Array) -> bool:
    return bool(np.isfinite(np.asarray(a, np.float64)).all())


def _cast(a: Array, kind: type) -> Array:
    if kind is not np.object_:
        return np.asarray(a).astype(kind)
    from fractions import Fraction

    flat = [Fraction(float(v)) for v in np.asarray(a, np.float64).ravel()]
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(a.shape)


def _threefold(a: Array) -> Array:
    """Stack a, |a| and 1[a != 0], so that the three maps are applied to all at once."""
    return np.stack([a, abs(a), (a != 0).astype(a.dtype)])


def floats(a: Array) -> Array:
    """Return fractions as float64, infinite beyond its range; return any other array as it is."""
    if a.dtype != object:
        return a
    return np.array([_nearest(v) for v in a.ravel()], np.float64).reshape(a.shape)


def _nearest(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf
