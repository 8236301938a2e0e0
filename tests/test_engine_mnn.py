"""MNN through the sandbox, each of its rows."""

import pytest
from engines_in_sandbox import mismatch, reply, rows_of

from convlaws.known import load
from convlaws.methods.registry import get
from convlaws.problem import Problem
from convlaws.request import Ending
from convlaws.sandbox.client import Sandbox

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
def test_a_row_keeps_its_contract_on_what_is_in_its_scope(box, row):
    problems = [p for p in map(Problem.parse, LINES) if row.scope.refuses(p) is None]

    replies = [(p, reply(box, row, p)) for p in problems]

    assert len(problems) > 1
    for problem, found in replies:
        assert found.ending is Ending.ANSWERED, f"{problem}: {found.message}"
        assert mismatch(row, problem, found.output) is None, problem


@pytest.mark.parametrize("name", ["mnn-groups-of-several-channels", "mnn-clamps"])
def test_a_known_wrong_answer_is_seen(box, name):
    entry = next(k for k in load().entries if k.id == name)

    found = reply(box, get("mnn"), entry.problems[0])

    assert mismatch(get("mnn"), entry.problems[0], found.output) is not None


def test_a_padding_beyond_the_kernel_crashes_the_child_only(box):
    entry = next(k for k in load().entries if k.id == "mnn-transpose-padding-beyond-the-kernel")

    found = reply(box, get("mnn-transpose"), entry.problems[0])
    after = reply(box, get("mnn-transpose"), Problem.parse(LINES[3]))

    assert found.ending is Ending.DIED
    assert after.ending is Ending.ANSWERED
