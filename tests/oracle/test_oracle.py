"""The oracle against torch in float64, against exact fractions, and against a loop over terms."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from terms import array_of, holes, kind_of_sum, origins, products, triples

from convlaws.oracle.contracts import CONTRACTS, interval
from convlaws.oracle.oracle import EXTENDED, answer, precision_for
from convlaws.problem.formats import FORMATS
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.problem.scope import FINITE, WHOLE, Scope
from convlaws.problem.spec import ConvSpec
from convlaws.strategies import problems

three_hundred = settings(max_examples=300)
DOUBLE = Scope(dtypes=("float64",), fills=FINITE, layouts=("contiguous",))
SMALL = 600  # multiply-adds that a loop in Python takes in a few milliseconds


# --- torch ------------------------------------------------------------------------
def by_torch(p: Problem) -> np.ndarray:
    """The op in float64 by torch and its autograd: padding by indexing, asymmetric cropping by slicing."""
    import torch

    spec = p.spec
    arrays = {r: torch.from_numpy(np.array(p.draw(r))) for r in ("x", "w", "gy", *["b"] * spec.bias)}
    x, w, b = (arrays[r].requires_grad_() if r in arrays else None for r in ("x", "w", "b"))
    y = _torch_forward(spec, x[None] if spec.batch is None else x, w, b)
    y = y[0] if spec.batch is None else y
    if p.op == "fprop":
        return y.detach().numpy()
    y.backward(arrays["gy"])
    return {"dgrad": x, "wgrad": w, "bgrad": b}[p.op].grad.numpy()


def _torch_forward(spec, x, w, b):
    import torch

    kind = f"conv_transpose{spec.ndim}d" if spec.transposed else f"conv{spec.ndim}d"
    sizes = {"stride": spec.stride, "dilation": spec.dilation, "groups": spec.groups}
    if spec.transposed:
        y = getattr(torch.nn.functional, kind)(x, w, b, output_padding=spec.output_padding, **sizes)
        crops = zip(spec.sides, y.shape[2:], strict=True)
        return y[(..., *(slice(low, n - high) for (low, high), n in crops))]
    for axis, places in enumerate(origins(spec)):
        copied = x.index_select(axis + 2, torch.tensor([i or 0 for i in places]))
        mask = torch.tensor([float(i is not None) for i in places], dtype=x.dtype)
        x = copied * mask.reshape(-1, *(1,) * (spec.ndim - axis - 1))
    return getattr(torch.nn.functional, kind)(x, w, b, **sizes)


@three_hundred
@given(p=problems(DOUBLE, max_macs=20_000))
def test_equals_torch_in_float64(p):
    a = answer(p.spec, p.op, p.operands)
    allowed = interval(a, CONTRACTS["plain"], p.format)

    got = by_torch(p)

    assert got.shape == a.R.shape == shape_of(p.spec, RESULT[p.op])
    assert (allowed.low <= got).all(), p
    assert (got <= allowed.high).all(), p


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 4])
@pytest.mark.parametrize("op", ["fprop", "dgrad", "wgrad"])
def test_equals_torch_for_every_output_padding(op, stride, dilation):
    for extra in range(max(stride, dilation)):
        text = f"n2c2k2_x3x4_r2x3_s{stride}x{stride}_p1:0x0:1_d{dilation}x{dilation}_g2_b_t{extra}x0"
        p = Problem.parse(f"{text} {op} float64 integers seed={extra}")
        assert np.array_equal(answer(p.spec, p.op, p.operands).R.astype(float), by_torch(p)), p


# --- exact fractions --------------------------------------------------------------
@three_hundred
@given(p=problems(replace(WHOLE, fills=(*FINITE, "tiny", "huge")), max_macs=600))
def test_is_within_its_own_roundoff_of_exact_fractions(p):
    found, exact = answer(p.spec, p.op, p.operands), answer(p.spec, p.op, p.operands, exact=True)

    unit = Fraction(2) ** (-64 if p.dtype == "float64" and EXTENDED else -53)
    assert (found.n == exact.n).all()
    for at in np.ndindex(found.R.shape):
        S = float(exact.S[at])
        if np.isfinite(S):
            tiny = Fraction(2) ** -1074  # S was rounded to float64 just now
            room = Fraction(int(exact.n[at])) * unit * (Fraction(S) * (1 + unit) + tiny)
            assert abs(_fraction(found.R[at]) - exact.R[at]) <= room, p
            assert abs(_fraction(found.S[at]) - Fraction(S)) <= room + Fraction(2) ** -53 * Fraction(S) + tiny, p


def _fraction(value) -> Fraction:
    """The exact value of a float64 or longdouble."""
    if not np.isfinite(value):
        return Fraction(0)
    mantissa, exponent = np.frexp(value)
    return Fraction(int(np.ldexp(mantissa, 64))) * Fraction(2) ** (int(exponent) - 64)


@three_hundred
@given(p=problems(replace(WHOLE, fills=FINITE), max_macs=SMALL))
def test_exact_values_magnitudes_and_counts_are_those_of_a_loop_over_terms(p):
    found = answer(p.spec, p.op, p.operands, exact=True)
    terms = products(p.spec, p.op, p.operands, Fraction)

    R, S, n = (
        array_of(p.spec, p.op, found.R.shape, terms, summed)
        for summed in (sum, lambda t: float(sum(map(abs, t))), lambda t: sum(v != 0 for v in t))
    )

    assert (found.R == R).all(), p
    assert np.array_equal(S.astype(float), found.S), p
    assert np.array_equal(n.astype(float), found.n), p


@pytest.mark.parametrize(("dtype", "digits"), [("float64", 64 if EXTENDED else None), ("float32", 53), ("float16", 53)])
def test_sums_in_something_wider_than_what_it_judges(dtype, digits):
    kind, unit = precision_for(np.dtype(dtype))

    assert unit == (0.0 if digits is None else 2.0**-digits)
    assert kind is np.object_ or np.finfo(kind).eps < 2.0**-50


def test_an_empty_batch_has_empty_results_and_zero_gradients():
    spec = ConvSpec.parse("n0c2k4_x5_r3_s1_p1_d1_g2_b")
    shapes = {role: shape_of(spec, role) for role in ("x", "w", "b", "gy")}
    a = {role: np.ones(shape, np.float32) for role, shape in shapes.items()}

    results = {
        op: answer(spec, op, {r: a[r] for r in roles})
        for op, roles in {"fprop": "x w b", "dgrad": "gy w", "wgrad": "x gy", "bgrad": "gy"}.items()
        for roles in [roles.split()]
    }

    assert {op: r.R.shape for op, r in results.items()} == {
        "fprop": (0, 4, 5), "dgrad": (0, 2, 5), "wgrad": (4, 1, 3), "bgrad": (4,),
    }  # fmt: skip
    assert not any(r.R.any() or r.n.any() for r in results.values())


# --- Inf and NaN ------------------------------------------------------------------
SPECIAL = replace(WHOLE, fills=("special",))


@three_hundred
@given(p=problems(SPECIAL, max_macs=SMALL))
def test_special_values_are_ieee_term_by_term(p):
    found = answer(p.spec, p.op, p.operands)
    terms = products(p.spec, p.op, p.operands)

    kinds = array_of(p.spec, p.op, found.R.shape, terms, kind_of_sum)

    if found.nan is None:
        assert (kinds == "finite").all(), p
        return
    assert ((found.nan == 2) == (kinds == "nan")).all(), p
    assert ((found.infinite == np.inf) == (kinds == "+inf")).all(), p
    assert ((found.infinite == -np.inf) == (kinds == "-inf")).all(), p


@settings(max_examples=60, deadline=None)
@given(p=problems(replace(SPECIAL, ops=("fprop", "dgrad")), max_macs=SMALL))
def test_where_a_structural_zero_can_meet_an_infinite_weight_nan_is_allowed(p):
    nan_is_allowed_where_they_meet(p)


@pytest.mark.long
@three_hundred
@given(p=problems(replace(SPECIAL, ops=("fprop", "dgrad")), max_macs=SMALL))
def test_so_it_is_in_three_hundred_problems(p):
    nan_is_allowed_where_they_meet(p)


def nan_is_allowed_where_they_meet(p):
    w = np.full(p.spec.w_shape, 1.0, p.format.dtype)
    w.flat[p.seed % w.size] = (np.inf, -np.inf, np.nan)[p.seed % 3]
    found = answer(p.spec, p.op, {**p.operands, "w": w})
    met = {at for at, tap in holes(p.spec, p.op) if not np.isfinite(float(w[tap]))}

    reached = array_of(p.spec, p.op, found.R.shape, {at: [1.0] for at in met}, bool)

    assert (np.asarray(found.nan)[reached.astype(bool)] >= 1).all(), p


@three_hundred
@given(p=problems(replace(SPECIAL, ops=("wgrad",)), max_macs=SMALL))
def test_where_padding_can_meet_an_infinite_image_nan_is_allowed(p):
    narrow, at = ("x", 1) if p.spec.transposed else ("gy", 1)
    a = {role: np.ones(v.shape, v.dtype) for role, v in p.operands.items()}
    if not a[narrow].size:
        return
    a[narrow].flat[p.seed % a[narrow].size] = np.inf
    found = answer(p.spec, p.op, a)
    image = a[narrow][None] if p.spec.batch is None else a[narrow]

    met = {t[2] for t in triples(p.spec) if t[0] is None and np.isinf(float(image[t[at]]))}

    assert all(found.nan[place] >= 1 for place in met), p


def test_a_result_that_no_structural_zero_touches_is_strict():
    spec = ConvSpec.parse("n1c1k1_x5_r3_s1_p1_d1_g1")
    w = np.array([[[1, np.inf, 1]]], np.float32)

    found = answer(spec, "fprop", {"x": np.ones(spec.x_shape, np.float32), "w": w})

    assert found.nan.tolist() == [[[1, 0, 0, 0, 1]]]
    assert found.infinite.tolist() == [[[np.inf] * 5]]


def test_finite_operands_have_no_classes():
    p = Problem.parse("n1c1k1_x5_r3 float32 normal")

    found = answer(p.spec, p.op, p.operands)

    assert (found.nan, found.infinite) == (None, None)
    assert FORMATS[p.dtype] is p.format
