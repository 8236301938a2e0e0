"""MLX on the CPU through the sandbox, each of its rows."""

import pytest
from engines_in_sandbox import reply, rows_of, unsettled

from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.registry import get

pytest.importorskip("mlx.core", reason="mlx is not installed")

ASKED = [  # of each op: an uneven padding, groups, all axes; and of a transposed one
    f"{spec} {op} {dtype} {layout} normal"
    for spec in (
        "n2c4k6_x9_r3_s2_p1:0_d2_g2",
        "n2c4k6_x9x5_r3x2_s2x1_p1x0_d2x1_g2_b",
        "n1c2k3_x5x4x6_r3x2x1_s1x2x1_p1x0x0_d1x1x2_g1",
        "n2c4k6_x5x4_r3x2_s2x1_p1x0_d1x1_g1_t0x0",
    )
    for op in ("fprop", "dgrad", "wgrad", "bgrad")
    for dtype in ("float32", "float16", "bfloat16")
    for layout in ("contiguous", "channels_last")
    if op != "bgrad" or spec.endswith("_b")
]


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


@pytest.mark.parametrize("row", [r for r in rows_of("mlx") if r.name != "mlx-float64"], ids=lambda row: row.name)
def test_what_is_in_a_rows_scope_is_settled(box, row):
    problems = [p for p in map(Problem.parse, ASKED) if row.scope.refuses(p) is None]

    found = unsettled(box, row, problems)

    assert {p.op for p in problems} == set(row.scope.ops)
    assert found == {}


# the engine may do it in another release, or die of it on another processor; what it says it does not do is no failure
def test_what_the_library_says_it_does_not_do_is_never_an_exception(box):
    found = reply(box, get("mlx-float64"), Problem.parse("n1c2k2_x5x5_r2x2_d2x2 fprop float64"))

    assert found.ending is not Ending.RAISED, found.message
