"""The results that an Inf or NaN among the operands reaches, by IEEE 754's table of products."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convlaws.oracle.definition import Array, Operands, apply, folded
from convlaws.problem.spec import ConvSpec

# --- Inf and NaN ----------------------------------------------------------------
# Each operand is split into indicators of its classes. IEEE 754's table gives the pairs of
# classes that multiply to NaN, +Inf or -Inf, and counting such pairs is the same bilinear map
# on indicators. No Inf is ever multiplied here.
_CLASSES = {
    "nan": np.isnan,
    "inf": np.isposinf,
    "-inf": np.isneginf,
    "pos": lambda a: (a > 0) & np.isfinite(a),
    "neg": lambda a: (a < 0) & np.isfinite(a),
    "zero": lambda a: a == 0,
}
_PRODUCTS = {
    "nan": [("nan", c) for c in _CLASSES]
    + [(c, "nan") for c in _CLASSES if c != "nan"]
    + [("inf", "zero"), ("-inf", "zero"), ("zero", "inf"), ("zero", "-inf")],
    "inf": [("inf", "inf"), ("-inf", "-inf"), ("inf", "pos"), ("pos", "inf"), ("-inf", "neg"), ("neg", "-inf")],
    "-inf": [("inf", "-inf"), ("-inf", "inf"), ("inf", "neg"), ("neg", "inf"), ("-inf", "pos"), ("pos", "-inf")],
}


def classes(spec: ConvSpec, op: str, operands: Operands, shape: tuple[int, ...]) -> dict[str, Array]:
    kinds = {role: {c: test(np.asarray(a, np.float64)) for c, test in _CLASSES.items()} for role, a in operands.items()}
    nan, up, down = (_count(spec, op, kinds, pairs, shape, c) for c, pairs in _PRODUCTS.items())
    must = (nan > 0) | ((up > 0) & (down > 0))
    may = _meets_structural_zero(spec, op, kinds)
    infinite = np.where(must, 0.0, np.where(up > 0, np.inf, np.where(down > 0, -np.inf, 0.0)))
    return {"nan": np.where(must, 2, may.astype(int) * np.ones(shape, int)), "infinite": infinite}


def _count(spec: ConvSpec, op: str, kinds: Mapping, pairs: list, shape: tuple[int, ...], result: str) -> Array:
    """Count the terms of each result that are of class `result`."""
    total = np.zeros(shape)
    if op == "bgrad":
        return total + apply(spec, op, {"gy": kinds["gy"][result][None].astype(float)})[0]
    first, second = (role for role in kinds if role != "b")
    for left, right in pairs:
        a, b = kinds[first][left], kinds[second][right]
        if a.any() and b.any():
            total += apply(spec, op, {first: a[None].astype(float), second: b[None].astype(float)})[0]
    if "b" in kinds:
        total += kinds["b"][result].reshape(-1, *(1,) * spec.ndim)
    return total


def _meets_structural_zero(spec: ConvSpec, op: str, kinds: Mapping) -> Array:
    """Return where a zero that only some implementations multiply (padding, stride holes) can meet an Inf or NaN.

    oneDNN does or does not, depending on shape and layout, so such a result may be NaN. The
    zeros are on the image's side; they meet the weight, or for wgrad the narrow image.
    """
    if op == "bgrad":
        return np.zeros((), bool)
    partner = "w" if op != "wgrad" else ("x" if spec.transposed else "gy")
    if not any(kinds[partner][c].any() for c in ("nan", "inf", "-inf")):
        return np.zeros((), bool)
    seen = apply(spec, op, {r: np.ones((1, *k["nan"].shape)) for r, k in kinds.items() if r != "b"})[0]
    return seen < _full_field(spec, op)


def _full_field(spec: ConvSpec, op: str) -> Array | int:
    """Return the number of terms of a result that no structural zero touches."""
    rows, columns = spec.w_shape[0] // spec.groups, spec.w_shape[1]
    taps = int(np.prod(spec.kernel))
    if op == "wgrad":
        return spec.images * int(np.prod(spec.extent if spec.transposed else spec.output))
    field = (columns if (op == "fprop") != spec.transposed else rows) * taps
    if op != "dgrad" or spec.padding_mode == "zeros":
        return field
    # a copied input element sums the fields of all its copies: the border of one copy may be hidden by the others
    return field * folded(spec, np.ones((1, 1, *spec.padded)))[0]
