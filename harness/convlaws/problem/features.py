"""The discrete features of a problem, one function each, with the values of Scope."""

from __future__ import annotations

from collections.abc import Callable

from convlaws.problem.problem import Problem
from convlaws.problem.spec import ConvSpec

BATCHES = ("unbatched", "empty", "one", "many")
PADDINGS = ("none", "even", "uneven", "same", "valid")  # the default ones, which torch has
ALL_PADDINGS = (*PADDINGS, "sameupper", "samelower", "negative")
GROUPINGS = ("one", "some", "depthwise")


def _batch(p: Problem) -> str:
    return {None: "unbatched", 0: "empty", 1: "one"}.get(p.spec.batch, "many")


def padding_kind(spec: ConvSpec) -> str:
    """Return one of ALL_PADDINGS."""
    if isinstance(spec.padding, str):
        return spec.padding
    if any(min(side) < 0 for side in spec.padding):
        return "negative"
    if not any(map(sum, spec.padding)):
        return "none"
    return "even" if all(low == high for low, high in spec.padding) else "uneven"


def grouping_kind(spec: ConvSpec) -> str:
    """Return one of GROUPINGS."""
    if spec.groups == 1:
        return "one"
    return "depthwise" if spec.groups == spec.in_channels else "some"


_FEATURES: dict[str, Callable[[Problem], object]] = {
    "ops": lambda p: p.op,
    "ndim": lambda p: p.spec.ndim,
    "dtypes": lambda p: p.dtype,
    "layouts": lambda p: p.layout,
    "fills": lambda p: p.fill,
    "batch": _batch,
    "transposed": lambda p: p.spec.transposed,
    "bias": lambda p: p.spec.bias,
    "padding": lambda p: padding_kind(p.spec),
    "padding_mode": lambda p: p.spec.padding_mode,
    "output_padding": lambda p: any(p.spec.output_padding),
    "grouping": lambda p: grouping_kind(p.spec),
    "strided": lambda p: max(p.spec.stride) > 1,
    "dilated": lambda p: max(p.spec.dilation) > 1,
    "input_dilated": lambda p: max(p.spec.input_dilation) > 1,
    "empty": lambda p: 0 in (*p.spec.extent, *p.spec.output),
}


def features(problem: Problem) -> dict[str, object]:
    """Return the discrete features of a problem, by the names of Scope's fields; cached in the problem."""
    kept = vars(problem)
    if "_features" not in kept:
        kept["_features"] = {name: feature(problem) for name, feature in _FEATURES.items()}
    return kept["_features"]


def said(value: object) -> str:
    """Return a value of a feature in words.

    >>> said(True), said("one")
    ('yes', 'one')
    """
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
