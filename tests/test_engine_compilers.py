"""Compilers through the sandbox: the rows of IREE and of TVM."""

import pytest
from engines_in_sandbox import mismatch, reply

from convlaws.engines import iree_cpu, tvm_cpu
from convlaws.known import load
from convlaws.methods.registry import find, get, rows
from convlaws.problem import Problem
from convlaws.request import Ending
from convlaws.sandbox.client import Sandbox

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
def test_a_row_keeps_its_contract_on_what_is_in_its_scope(box, name):
    row = get(name)
    problems = [p for p in map(Problem.parse, ASKED) if row.scope.refuses(p) is None]

    replies = [(p, reply(box, row, p)) for p in problems]

    assert len(problems) >= 4
    for problem, found in replies:
        assert found.ending is Ending.ANSWERED, f"{problem}: {found.message}"
        assert found.ran.startswith("llvm-cpu of IREE")
        assert mismatch(row, problem, found.output) is None, problem


@needs_tvm
@pytest.mark.parametrize("line", ASKED)
def test_tvm_keeps_its_contract_on_each_side_of_each_axis(box, line):
    row, problem = get("compiled-tvm"), Problem.parse(line)

    found = reply(box, row, problem)

    assert row.scope.refuses(problem) is None
    assert found.ending is Ending.ANSWERED, found.message
    assert found.ran.startswith("LLVM of TVM")
    assert mismatch(row, problem, found.output) is None


@needs_iree
def test_float64_is_not_demoted(box):
    problem = Problem.parse("n1c2k2_x5x5_r2x2 fprop float64 normal")

    found = reply(box, get("compiled-iree"), problem)

    assert found.output.dtype == "float64"
    assert mismatch(get("compiled-iree"), problem, found.output) is None
    assert mismatch(get("compiled-iree"), problem, found.output.astype("float32").astype("float64")) is not None


@needs_iree
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_subnormal_numbers_are_flushed(box, dtype):
    problem = Problem.parse(f"n1c1k1_x1_r1 fprop {dtype} tiny")

    found = reply(box, get("compiled-iree"), problem)

    assert found.ending is Ending.ANSWERED
    assert found.output.item() == 0
    assert mismatch(get("compiled-iree"), problem, found.output) is None


@needs_iree
def test_one_result_of_a_stride_is_not_compiled_and_known(box):
    entry = next(e for e in load().entries if e.id == "iree-one-result-of-a-stride")
    if not entry.is_about("compiled-iree"):
        pytest.skip(f"IREE is not {entry.versions}")

    found = reply(box, get("compiled-iree"), entry.problems[0])

    assert found.ending is not Ending.ANSWERED
    assert "to be 3, but found 2" in found.message


@pytest.mark.parametrize("line", ["n1c2k2_x5_r2_p1", "n1c2k2_x5_r2_b", "n1c2k2_x5_r2_g2"])
def test_what_linalg_lacks_is_out_of_scope(line):
    assert all(get(name).scope.refuses(Problem.parse(line)) for name in IREE)


def test_the_rows_are_asked_for_by_name_only():
    named = {*IREE, "compiled-tvm"}

    assert {row.name for row in rows("compiled", absent=True)} >= named
    assert not {m.name for m in find(["*"])} & named
