"""MNN through the sandbox, each of its rows."""

import pytest
from engines_in_sandbox import rows_of, unsettled

from convlaws.problem.problem import Problem
from convlaws.sandbox.sandbox import Sandbox

pytest.importorskip("MNN", reason="MNN is not installed")

LINES = (
    "n2c3k5_x6x7_r3x2_s2x1_p1x0_d1x2_g1_b fprop float32 normal",
    "n1c4k4_x6x7_r3x2_s1x2_p2x1_d2x1_g4_b fprop float32 integers",
    "n1c4k4_x6x7_r3x2_psame_b fprop float32 normal",
    "n2c3k5_x6x7_r3x2_s2x1_p1x0_d1x2_g1_b_t0x0 fprop float32 normal",
    "n1c3k3_x6x7_r3x2_s2x1_p1x0_d1x2_g3_b_t0x0 fprop float32 integers",
)


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


@pytest.mark.parametrize("row", rows_of("MNN"), ids=lambda row: row.name)
def test_what_is_in_a_rows_scope_is_settled(box, row):
    problems = [p for p in map(Problem.parse, LINES) if row.scope.refuses(p) is None]

    found = unsettled(box, row, problems)

    assert len(problems) > 1
    assert found == {}
