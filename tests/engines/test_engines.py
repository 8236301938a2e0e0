"""The adapters of torch and SciPy: what they ask for and make of it, with stand-ins for the libraries' convolutions."""

import random

import numpy as np
import pytest
from adapters import call, compute
from engines_in_sandbox import mismatch
from random_problems import random_problem, within

from convlaws.engines import host, scipy_signal, torch_cpu
from convlaws.errors import UsageError
from convlaws.judge.replay import repeated
from convlaws.laws.registry import find as laws
from convlaws.oracle.oracle import answer
from convlaws.problem.fills import FILLS
from convlaws.problem.problem import DTYPES, LAYOUTS, OPS, RESULT, Problem, shape_of
from convlaws.problem.scope import FINITE
from convlaws.records.finding import Verdict
from convlaws.sandbox.sandbox import InProcess
from convlaws.targets.registry import _TABLE, get

ENGINES = [row.name for row in _TABLE.values() if row.address.startswith((torch_cpu.__name__, scipy_signal.__name__))]
TORCH = [name for name in ENGINES if name.startswith("torch")]
pytestmark = pytest.mark.usefixtures("stand_ins")


# --- what holds of every engine -----------------------------------------------------
@pytest.mark.parametrize("name", ENGINES)
def test_results_keep_the_declared_contract_where_the_library_is_right(name):
    row, rng = _TABLE[name], random.Random(name)
    scope = within(row, fills=FINITE if name.endswith("fft") else tuple(FILLS))
    broken = {}

    for _ in range(150):
        problem = random_problem(rng, scope)
        if problem.spec.padding_mode != "zeros" and problem.format.bits < 24:
            continue  # torch's own padding, which has no stand-in, adds its gradient up in the half type
        if found := mismatch(row, problem, compute({"row": name}, problem)):
            broken[str(problem)] = str(found)

    assert broken == {}


@pytest.mark.parametrize("name", ENGINES)
def test_shape_and_dtype_are_those_of_the_problem(name):
    row, rng = _TABLE[name], random.Random(name)

    for _ in range(60):
        problem = random_problem(rng, row.scope)
        got = compute({"row": name}, problem)

        assert (got.shape, got.dtype) == (shape_of(problem.spec, RESULT[problem.op]), problem.format.dtype), str(problem)


@pytest.mark.parametrize("name", ENGINES)
def test_operands_are_left_as_they_were(name):
    row, rng = _TABLE[name], random.Random(name)

    for _ in range(40):
        request = call(random_problem(rng, row.scope))
        before = {role: a.tobytes() for role, a in request.arrays.items()}
        host.open_target({"row": name})(request)

        assert {role: a.tobytes() for role, a in request.arrays.items()} == before


# --- what holds of torch's -------------------------------------------------------------
def test_scopes_hold_every_dtype_op_and_layout_that_torch_documents():
    row = _TABLE["torch-onednn"]

    assert (row.scope.dtypes, row.scope.ops, row.scope.layouts) == (DTYPES, OPS, LAYOUTS)


@pytest.mark.parametrize("name", TORCH)
def test_uneven_padding_is_refused_in_words(name):
    transposed = "_t0x0" if "transpose" in name else ""
    problem = Problem.parse(f"n1c2k2_x5x5_r3x3_p0:1x1{transposed} channels_last")

    assert "padding is uneven" in _TABLE[name].scope.refuses(problem)


@pytest.mark.parametrize("name", ["torch-onednn", "torch-native"])
@pytest.mark.parametrize("enabled", [True, False])
def test_the_onednn_switch_is_set_for_the_call_and_put_back(name, enabled):
    from torch.backends import mkldnn

    before, mkldnn.enabled = mkldnn.enabled, enabled
    try:
        with torch_cpu._switched(_TABLE[name].options):
            inside = mkldnn.enabled
        after = mkldnn.enabled
    finally:
        mkldnn.enabled = before

    assert (inside, after) == (name == "torch-onednn", enabled)


def test_the_onednn_switch_is_set_where_pytorchs_own_tests_froze_it():
    import torch
    from torch.backends import mkldnn

    with torch.backends.__allow_nonbracketed_mutation():  # what it was comes back at the end
        torch.backends.disable_global_flags()
        with torch_cpu._switched(_TABLE["torch-native"].options):
            inside = mkldnn.enabled

    assert (inside, mkldnn.enabled, torch.backends.flags_frozen()) == (False, True, False)


@pytest.mark.parametrize("name", ["torch-onednn", "torch-native", "torch-transpose", "torch-module"])
@pytest.mark.parametrize("op", ["second_x", "second_w", "second_gy"])
def test_second_derivatives_are_convolutions_of_what_they_are_linear_in(name, op):
    """By x: dgrad(gy, u); by w: wgrad(v, gy); by gy: conv(v, w) + conv(x, u)."""
    t = "_t1x0" if name == "torch-transpose" else ""
    problem = Problem.parse(f"n2c4k6_x5x4_r3x2_s2x1_p1x0_g2_b{t} float64 integers seed=3")
    a = {r: problem.draw(r) for r in ("x", "w", "gy")}
    a |= {"v": problem.draw("x", tag="v"), "u": problem.draw("w", tag="u")}
    ways = {
        "second_x": [("dgrad", {"gy": a["gy"], "w": a["u"]})],
        "second_w": [("wgrad", {"x": a["v"], "gy": a["gy"]})],
        "second_gy": [("fprop", {"x": a["v"], "w": a["w"]}), ("fprop", {"x": a["x"], "w": a["u"]})],
    }

    got, _ = host.open_target({"row": name})(call(problem, a, op))

    assert np.array_equal(got, sum(answer(problem.spec, way, o).R for way, o in ways[op]).astype(float))


# --- the host ------------------------------------------------------------------------
def test_the_host_answers_bfloat16_as_bits_and_says_so():
    problem = Problem.parse("n1c1k1_x3_r1 bfloat16 ones")

    raw, tag = host.open_target({"row": "torch-native"})(call(problem))

    assert (raw.dtype, tag, raw.ravel().tolist()) == (np.uint16, "bfloat16", [0x3F80] * 3)


def test_a_target_that_is_none_is_a_usage_error():
    with pytest.raises(UsageError, match="none of row, function"):
        host.open_target({"method": "torch-native"})


def test_threads_are_set_where_the_library_is_loaded():
    import torch

    before = torch.get_num_threads()
    try:
        host.set_threads(2)
        inside = torch.get_num_threads()
    finally:
        host.set_threads(before)

    assert inside == 2


def test_a_transform_over_the_channels_has_the_error_of_the_largest_of_them():
    problem = Problem.parse("n1c2k1_x2_r2_s1_p0_d1_g1 fprop float32 contiguous wild seed=35")
    law = laws(["powers-of-two-cancel-in-a-channel"])  # scales the channels apart
    method = get("scipy-correlate-fft")

    with InProcess() as box:
        verdicts = [repeated(m, law, [problem], box)[0][1].verdict for m in (method, method.declares("fft"))]

    assert verdicts == [Verdict.KEPT, Verdict.BROKEN]
