"""The oracle on what torch has no argument for: a loop over indices, torch and SciPy on arrays made beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlaws.oracle.contracts import CONTRACTS, interval
from convlaws.oracle.oracle import answer
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.problem.scope import FINITE, NOT_EMPTY, Scope
from convlaws.problem.spec import ConvSpec
from convlaws.strategies import problems

# each on its own, and all of it together
BEYOND = {
    "padding that crops": Scope(padding=("negative",)),
    "input dilation": Scope(input_dilated=(True,)),
    "same with strides": Scope(padding=("sameupper", "samelower")),
    "an extent of 0": Scope(empty=(True,)),
    "all at once": Scope(padding=("negative",), input_dilated=(True,), empty=(False, True)),
}
each = pytest.mark.parametrize("name", BEYOND)
sixty = settings(max_examples=60)
SMALL = 600  # multiply-adds that a loop in Python takes in a few milliseconds


def drawn(data, name: str, **fields) -> Problem:
    return data.draw(problems(replace(BEYOND[name], **fields), max_macs=SMALL))


# --- a loop over indices -----------------------------------------------------------
def terms(spec: ConvSpec):
    """(place in y, place in x, place in w) of each product, as XLA counts: dilate x, pad or crop it, slide the kernel."""
    rows, columns = spec.w_shape[0] // spec.groups, spec.w_shape[1]
    sizes = [spec.images, spec.out_channels, columns, *spec.output, *spec.kernel]
    for n, k, c, *places in np.ndindex(*sizes):
        o, t = places[: spec.ndim], places[spec.ndim :]
        source = []
        for axis in range(spec.ndim):
            at = o[axis] * spec.stride[axis] + t[axis] * spec.dilation[axis] - spec.sides[axis][0]
            between = at % spec.input_dilation[axis]
            inside = 0 <= at <= (spec.extent[axis] - 1) * spec.input_dilation[axis]
            source.append(at // spec.input_dilation[axis] if inside and not between else None)
        if None not in source:
            yield (n, k, *o), (n, k // rows * columns + c, *source), (k, c, *t)


def summed(p: Problem, number) -> np.ndarray:
    """The op by the loop, of `number(operand)`."""
    spec, place = p.spec, {"y": 0, "x": 1, "w": 2}
    a = {role: number(v.astype(np.float64)) for role, v in p.operands.items()}
    a = {role: v[None] if spec.batch is None and role in ("x", "gy") else v for role, v in a.items()}
    lead = (1,) if spec.batch is None and p.op in ("fprop", "dgrad") else ()
    total = np.zeros((*lead, *shape_of(spec, RESULT[p.op])))
    if p.op == "bgrad":
        for at in np.ndindex(a["gy"].shape):
            total[at[1]] += a["gy"][at]
        return total
    (one, left), (two, right) = ((a[r], place[r[-1]]) for r in a if r != "b")
    for term in terms(spec):
        total[term[place[RESULT[p.op]]]] += one[term[left]] * two[term[right]]
    if "b" in a:
        for at in np.ndindex(total.shape):
            total[at] += a["b"][at[1]]
    return total[0] if lead else total


@each
@pytest.mark.parametrize("op", ["fprop", "dgrad", "wgrad", "bgrad"])
@sixty
@given(data=st.data())
def test_value_magnitude_and_count_are_those_of_a_loop_over_indices(name, op, data):
    p = drawn(data, name, ops=(op,), dtypes=("float32", "float16"), fills=("integers", "onehot"))
    found = answer(p.spec, p.op, p.operands)

    R, S, n = (summed(p, number) for number in (lambda a: a, np.abs, lambda a: (a != 0).astype(float)))

    assert found.R.shape == R.shape == shape_of(p.spec, RESULT[p.op])
    assert np.array_equal(found.R, R), p  # bit-budget integers: nothing is rounded
    assert np.array_equal(found.S, S), p
    assert np.array_equal(found.n, n), p


# --- other people's sums, of arrays that are dilated, padded and cropped before --------
def in_place(spec: ConvSpec, x):
    """x (N, C, ...) as the kernel sees it, by torch: zeros between by assignment, padding and cropping by torch's pad."""
    import torch

    wide = torch.zeros((*x.shape[:2], *spec.spaced), dtype=x.dtype)
    wide[(..., *(slice(None, None, step) for step in spec.input_dilation))] = x
    sides = [n for side in reversed(spec.sides) for n in side]
    more, less = ([pick(n, 0) for n in sides] for pick in (max, min))  # together, torch's pad crops no more than there was
    return torch.nn.functional.pad(torch.nn.functional.pad(wide, more), less)


@pytest.mark.parametrize("name", [name for name in BEYOND if name != "an extent of 0"])  # torch has none
@sixty
@given(data=st.data())
def test_equals_torch_on_an_input_made_beforehand(name, data):
    import torch

    plain = {"transposed": (False,), "padding_mode": ("zeros",)}
    p = drawn(data, name, dtypes=("float64",), fills=FINITE, batch=NOT_EMPTY, **plain)
    if 0 in (*p.spec.output, *p.spec.extent):
        return  # torch has no such thing
    spec = p.spec
    t = {r: torch.from_numpy(np.array(p.draw(r))).requires_grad_() for r in ("x", "w", "gy", *["b"] * spec.bias)}
    conv = getattr(torch.nn.functional, f"conv{spec.ndim}d")
    x = t["x"] if spec.batch is not None else t["x"][None]
    y = conv(in_place(spec, x), t["w"], t.get("b"), stride=spec.stride, dilation=spec.dilation, groups=spec.groups)
    y = y if spec.batch is not None else y[0]
    y.backward(t["gy"])

    got = {"fprop": y, "dgrad": t["x"].grad, "wgrad": t["w"].grad, "bgrad": t["b"].grad if spec.bias else None}[p.op]
    found = answer(spec, p.op, p.operands)
    allowed = interval(found, CONTRACTS["plain"], p.format)

    assert (allowed.low <= got.detach().numpy()).all(), p
    assert (got.detach().numpy() <= allowed.high).all(), p


@each
@sixty
@given(data=st.data())
def test_equals_scipy_on_an_input_made_beforehand(name, data):
    import torch
    from scipy.signal import correlate

    one = {
        "grouping": ("one",),
        "channels": (1, 1),
        "batch": ("one",),
        "bias": (False,),
        "strided": (False,),
        "dilated": (False,),
    }
    p = drawn(data, name, **one, ops=("fprop",), fills=("integers",), transposed=(False,), padding_mode=("zeros",))
    wide = in_place(p.spec, torch.from_numpy(p.operands["x"].astype(np.float64))).numpy()[0, 0]
    kernel = p.operands["w"].astype(np.float64)[0, 0]

    found = answer(p.spec, p.op, p.operands)

    if 0 in p.spec.output:
        assert found.R.size == 0
    else:
        assert np.array_equal(found.R[0, 0], correlate(wide, kernel, mode="valid", method="direct")), p


def test_an_empty_result_has_gradients_of_zero():
    line = "n2c2k4_x5x3_r3x4_s2x1_p-1:1x0_d1x1_i2x1_g2_b"
    shapes = {"fprop": (2, 4, 4, 0), "dgrad": (2, 2, 5, 3), "wgrad": (4, 1, 3, 4), "bgrad": (4,)}

    found = {op: answer(p.spec, op, p.operands) for op in shapes for p in [Problem.parse(f"{line} {op}")]}

    assert {op: a.R.shape for op, a in found.items()} == shapes
    assert not any(a.R.any() or a.S.any() or a.n.any() for a in found.values())


def test_an_input_of_nothing_between_padding_gives_the_bias():
    p = Problem.parse("n1c2k1_x0_r2_p1:2_b float64")

    found = answer(p.spec, "fprop", p.operands)

    assert np.array_equal(found.R, np.broadcast_to(p.operands["b"], (1, 1, 2)))
    assert np.array_equal(found.n, np.ones((1, 1, 2)))


# --- Inf and NaN --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "nan"),
    [
        ("n1c1k1_x3_r2_i2", [1, 1, 1, 1]),  # each window has a tap over an element and one over a zero between two
        ("n1c1k1_x4_r2_p-1:1", [0, 0, 1]),  # what is cropped is no zero, what is put there is one
        ("n1c1k1_x5_r3_s2_psamelower", [1, 0, 1]),
        ("n1c1k1_x4_r3_s2_psameupper", [0, 1]),
    ],
)
def test_a_zero_put_there_may_meet_an_infinite_weight(line, nan):
    spec = ConvSpec.parse(line)

    found = answer(spec, "fprop", {"x": np.ones(spec.x_shape, np.float32), "w": np.full(spec.w_shape, np.inf, np.float32)})

    assert found.nan.tolist() == [[nan]]


def test_an_infinity_that_is_cropped_reaches_nothing():
    p = Problem.parse("n1c1k1_x5_r2_p-1:0 ones")
    x = np.array([[[np.inf, 1, 1, 1, 1]]], np.float32)

    found = answer(p.spec, "fprop", {"x": x, "w": p.operands["w"]})

    assert found.R.tolist() == [[[2, 2, 2]]]
    assert not found.nan.any()
    assert not found.infinite.any()
