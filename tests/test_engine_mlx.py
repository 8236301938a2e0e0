"""MLX on the CPU through the sandbox, each of its rows."""

import subprocess
import sys

import pytest
from engines_in_sandbox import mismatch, reply, rows_of

from convlaws.methods.registry import get
from convlaws.problem import Problem
from convlaws.request import Ending
from convlaws.sandbox.client import Sandbox

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
def test_a_row_keeps_its_contract_on_what_is_in_its_scope(box, row):
    problems = [p for p in map(Problem.parse, ASKED) if row.scope.refuses(p) is None]

    replies = [(p, reply(box, row, p)) for p in problems]

    assert {p.op for p in problems} == set(row.scope.ops)
    for problem, found in replies:
        assert found.ending is Ending.ANSWERED, f"{problem}: {found.message}"
        assert mismatch(row, problem, found.output) is None, problem


def test_what_has_no_float64_is_refused_in_its_own_words(box):
    found = reply(box, get("mlx-float64"), Problem.parse("n1c2k2_x5x5_r2x2_d2x2 fprop float64"))

    assert found.ending is Ending.REFUSED
    assert "unsupported data type" in found.message


def test_float64_is_computed_in_float32(box):
    problem = Problem.parse("n1c2k2_x5x5_r2x2 fprop float64 normal")

    found = reply(box, get("mlx-float64"), problem)

    assert mismatch(get("mlx-float64"), problem, found.output) is not None
    assert mismatch(get("mlx-float64"), problem, found.output, "single") is None


def test_the_crop_before_the_dilation_shows_without_convlaws():
    import mlx.core as mx

    with mx.stream(mx.cpu):
        got = mx.conv_transpose1d(mx.array([1.0, 2.0, 3.0]).reshape(1, 3, 1), mx.ones((1, 1, 1)), stride=2, padding=1)

    assert got.reshape(-1).tolist() == [2.0]  # 0 2 0 is right


def test_the_crash_of_an_empty_batch_shows_without_convlaws():
    script = """
import mlx.core as mx
mx.set_default_device(mx.cpu)
convolve = lambda w: mx.conv_general(mx.zeros((0, 1, 2)), w, groups=2)
mx.eval(mx.vjp(convolve, [mx.ones((2, 1, 1))], [mx.zeros((0, 1, 2))])[1])
"""

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)

    assert done.returncode == -8
