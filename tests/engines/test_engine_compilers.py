"""Compilers through the sandbox: the rows of IREE and of TVM."""

import pytest
from engines_in_sandbox import reply, unsettled

from convlaws.engines import iree_cpu, tvm_cpu
from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.registry import find, get, rows

needs_iree = pytest.mark.skipif(not iree_cpu.PACKAGE.installed, reason="iree-base-compiler is not installed")
needs_tvm = pytest.mark.skipif(not tvm_cpu.PACKAGE.installed, reason="apache-tvm is not installed")
IREE = ("compiled-iree", "compiled-iree-o3", "compiled-iree-grouped")
ASKED = [  # one to three axes, each size another; one group, some, depthwise; an empty batch
    f"{spec} fprop {dtype} contiguous normal seed=1"
    for spec in (
        "n2c3k4_x9_r3_s2_p0_d2_g1",
        "n2c3k4_x7x6_r3x2_s2x1_p0x0_d1x2_g1",
        "n1c2k3_x5x4x6_r3x2x1_s1x2x1_p0x0x0_d1x1x2_g1",
        "n2c4k6_x7x6_r3x2_s2x1_p0x0_d1x2_g2",
        "n1c3k6_x5x4_r2x3_s1x1_p0x0_d2x1_g3",
        "n0c2k2_x5x4_r2x3_s1x1_p0x0_d1x1_g1",
        "n2c4k6_x9_r3_s2_p1:2_d2_g2",
        "n2c3k4_x7x6_r3x2_s2x1_p1:0x0:2_d1x2_g1",
        "n1c4k6_x5x4x6_r3x2x1_s1x2x1_p1:2x0x0:1_d1x1x2_g2",
    )
    for dtype in ("float32", "float64")
]


@pytest.fixture(scope="module")
def box():
    with Sandbox(time_limit=120) as box:
        yield box


@needs_iree
@pytest.mark.parametrize("name", IREE)
def test_what_is_in_a_rows_scope_is_settled_and_says_what_ran(box, name):
    row = get(name)
    problems = [p for p in map(Problem.parse, ASKED) if row.scope.refuses(p) is None]

    found, first = unsettled(box, row, problems), reply(box, row, problems[0])

    assert len(problems) >= 4
    assert found == {}
    assert first.ran.startswith("llvm-cpu of IREE") or first.ending is not Ending.ANSWERED


@needs_tvm
@pytest.mark.parametrize("line", ASKED)
def test_tvm_is_settled_on_each_side_of_each_axis_and_says_what_ran(box, line):
    row, problem = get("compiled-tvm"), Problem.parse(line)

    found, first = unsettled(box, row, [problem]), reply(box, row, problem)

    assert row.scope.refuses(problem) is None
    assert found == {}
    assert first.ran.startswith("LLVM of TVM") or first.ending is not Ending.ANSWERED


@pytest.mark.parametrize("line", ["n1c2k2_x5_r2_p1", "n1c2k2_x5_r2_b", "n1c2k2_x5_r2_g2"])
def test_what_linalg_lacks_is_out_of_scope(line):
    assert all(get(name).scope.refuses(Problem.parse(line)) for name in IREE)


def test_the_rows_are_asked_for_by_name_only():
    named = {*IREE, "compiled-tvm"}

    assert {row.name for row in rows("compiled", absent=True)} >= named
    assert not {m.name for m in find(["*"])} & named
