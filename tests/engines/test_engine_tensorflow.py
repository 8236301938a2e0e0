"""TensorFlow on the CPU through the sandbox, each of its rows."""

import pytest
from engines_in_sandbox import reply, rows_of, unsettled

from convlaws.engines import tensorflow_cpu
from convlaws.problem.problem import OPS, Problem
from convlaws.problem.request import Ending
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.registry import get

pytestmark = pytest.mark.skipif(not tensorflow_cpu.PACKAGE.installed, reason="tensorflow-cpu is not installed")

ASKED = [  # words and numbers for the padding, strides, all axes, a bias, a transposed one
    f"{spec} {op} {dtype} channels_last {fill}"
    for spec in (
        "n2c4k6_x9_r3_s1_psame_d1_g1",
        "n2c4k6_x9x5_r3x2_s2x1_psameupper_d1x1_g1",
        "n2c4k6_x9x5_r3x2_s2x1_p1:0x0_d1x1_g1",
        "n2c4k6_x9x5_r3x2_s1x1_psame_d2x1_g2",
        "n2c4k6_x9x5_r3x2_s2x1_p1x0_d1x1_g1_b",
        "n1c2k3_x5x4x6_r3x2x1_s1x2x1_pvalid_d1x1x1_g1",
        "n2c4k6_x5x4_r3x2_s2x1_p1x0_d1x1_g1_t1x0",
    )
    for op in OPS
    for dtype in ("float64", "float32", "bfloat16")
    for fill in ("normal", "integers")
    if op != "bgrad" or spec.endswith("_b")
]


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


@pytest.mark.parametrize("row", rows_of("tensorflow-cpu"), ids=lambda row: row.name)
def test_what_is_in_a_rows_scope_is_settled(box, row):
    problems = [p for p in map(Problem.parse, ASKED) if row.scope.refuses(p) is None]

    found = unsettled(box, row, problems)

    assert {p.op for p in problems} == set(row.scope.ops)
    assert {p.dtype for p in problems} == set(row.scope.dtypes)
    assert found == {}


# the engine may do it in another release, or die of it on another processor; what it says it does not do is no failure
def test_what_the_library_says_it_does_not_do_is_never_an_exception(box):
    line = "n2c4k6_x9x5_r3x2_d2x1_g1 {} float32 channels_last normal"  # Eigen has no gradients of dilations

    found = [reply(box, get("tensorflow-no-onednn"), Problem.parse(line.format(op))) for op in ("dgrad", "wgrad")]

    assert Ending.RAISED not in {r.ending for r in found}, found[0].message
