"""TensorFlow on the CPU through the sandbox, each of its rows."""

import pytest
from engines_in_sandbox import mismatch, reply, rows_of

from convlaws.engines import tensorflow_cpu
from convlaws.methods.registry import get
from convlaws.problem import OPS, Problem
from convlaws.request import Ending
from convlaws.sandbox.client import Sandbox

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
def test_a_row_keeps_its_contract_on_what_is_in_its_scope(box, row):
    problems = [p for p in map(Problem.parse, ASKED) if row.scope.refuses(p) is None]

    replies = [(p, reply(box, row, p)) for p in problems]

    assert {p.op for p in problems} == set(row.scope.ops)
    assert {p.dtype for p in problems} == set(row.scope.dtypes)
    for problem, found in replies:
        assert found.ending is Ending.ANSWERED, f"{problem}: {found.message}"
        assert mismatch(row, problem, found.output) is None, problem


@pytest.mark.parametrize("line", ["n2c4k6_x9x5_r3x2_d2x1_g1", "n2c4k6_x9x5_r3x2_d1x1_g2", "n2c4k6_x9x5_r3x2_d1x2_g2"])
@pytest.mark.parametrize("op", ["fprop", "dgrad", "wgrad"])
def test_groups_and_dilations_have_gradients_with_onednn_only(box, line, op):
    problem = Problem.parse(f"{line} {op} float32 channels_last normal")

    by_onednn, by_eigen = (reply(box, get(name), problem) for name in ("tensorflow", "tensorflow-no-onednn"))

    assert mismatch(get("tensorflow"), problem, by_onednn.output) is None
    if op == "fprop":
        assert mismatch(get("tensorflow-no-onednn"), problem, by_eigen.output) is None
    else:
        assert by_eigen.ending is Ending.REFUSED
        assert "support" in by_eigen.message


def test_subnormal_numbers_are_flushed(box):
    problem = Problem.parse("n2c4k6_x9x5_r3x2 fprop float32 channels_last tiny")

    found = reply(box, get("tensorflow"), problem)

    assert mismatch(get("tensorflow"), problem, found.output) is None
    assert mismatch(get("tensorflow"), problem, found.output, "plain") is not None


def test_float16_is_added_up_in_float16_and_so_in_no_scope(box):
    problem = Problem.parse("n1c2k3_x5x4x6_r3x2x1_s1x2x1_psameupper_d1x1x1_g1 fprop float16 channels_last normal")

    found = reply(box, get("tensorflow-conv3d"), problem)

    assert get("tensorflow-conv3d").scope.refuses(problem)
    assert mismatch(get("tensorflow-conv3d"), problem, found.output, "storage") is not None


def test_no_images_have_a_result_of_the_wrong_shape(box):
    problem = Problem.parse("n0c1k2_x5x5_r3x3 fprop float32 channels_last")

    shapes = {name: reply(box, get(name), problem).output.shape for name in ("tensorflow", "tensorflow-no-onednn")}

    assert shapes == {"tensorflow": (0, 1, 5, 5), "tensorflow-no-onednn": (0, 2, 3, 3)}
