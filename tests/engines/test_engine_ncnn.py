"""ncnn through the sandbox, each of its rows."""

import pytest
from engines_in_sandbox import reply, rows_of, unsettled

from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.registry import get

pytest.importorskip("ncnn", reason="ncnn is not installed")

NINE = "n1c9k17_x8x7_r3x3_s1x1_p1x1_d1x1_g1_b"  # Winograd is taken from nine channels on
LINES = (
    "n1c4k6_x9_r3_s2_p1_d2_g2_b fprop float32 normal",
    "n1c3k5_x8x7_r3x2_s2x1_p1x0_d1x2_g1_b fprop float32 integers seed=3",
    "uc4k4_x6x6_r3x3_psame_g4 fprop float32 normal",
    "n3c4k8_x5x6_r2x3_s1x1_p1x1_d1x1_g2_b fprop float32 integers",
    "n1c2k3_x4x5x6_r2x3x1_s1x2x1_p1x0x0_d2x1x1_g1 fprop float32 normal",
    "n1c4k6_x5x4_r3x2_s2x3_p1x0_d1x2_g2_b_t1x2 fprop float32 normal seed=2",
    "n1c3k5_x8x7_r3x2_s2x1_p1x0_d1x1_g1_b fprop bfloat16 normal seed=3",
    f"{NINE} fprop float32 normal",
)


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


@pytest.mark.parametrize("row", rows_of("ncnn"), ids=lambda row: row.name)
def test_what_is_in_a_rows_scope_is_settled(box, row):
    problems = [p for p in map(Problem.parse, LINES) if row.scope.refuses(p) is None]

    found = unsettled(box, row, problems)

    assert problems
    assert found == {}


# the engine may do it in another release, or die of it on another processor; what it says it does not do is no failure
def test_what_the_library_says_it_does_not_do_is_never_an_exception(box):
    found = reply(box, get("ncnn-bf16"), Problem.parse("n1c2k2_x5x5_r2x2_g2 fprop bfloat16"))

    assert found.ending is not Ending.RAISED, found.message
