"""ncnn through the sandbox, each of its rows."""

import subprocess
import sys

import pytest
from engines_in_sandbox import mismatch, reply, rows_of

from convlaws.methods.registry import get
from convlaws.problem import Problem
from convlaws.request import Ending
from convlaws.sandbox.client import Sandbox

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
def test_a_row_keeps_its_contract_on_what_is_in_its_scope(box, row):
    problems = [p for p in map(Problem.parse, LINES) if row.scope.refuses(p) is None]

    replies = [(p, reply(box, row, p)) for p in problems]

    assert problems
    for problem, found in replies:
        assert found.ending is Ending.ANSWERED, f"{problem}: {found.message}"
        assert mismatch(row, problem, found.output) is None, problem


@pytest.mark.parametrize("name", ["ncnn-winograd43", "ncnn-winograd63"])
def test_winograd_is_taken_and_is_not_plain(box, name):
    problem = Problem.parse(f"{NINE} fprop float32 integers")

    found = reply(box, get(name), problem)

    assert mismatch(get(name), problem, found.output, "plain") is not None


def test_packed_layouts_are_not_asked_for_where_a_row_says_so(box):
    line = "n1c1k1_x5x5_r3x3_s1x1_p0x0_d2x2_g1 fprop float32 contiguous integers seed=0"  # which needs them to survive

    endings = [reply(box, get(name), Problem.parse(line)).ending for name in ("ncnn", "ncnn-unpacked")]

    assert endings == [Ending.ANSWERED, Ending.DIED]


def test_a_layer_without_bfloat16_storage_is_refused(box):
    found = reply(box, get("ncnn-bf16"), Problem.parse("n1c2k2_x5x5_r2x2_g2 fprop bfloat16"))

    assert found.ending is Ending.REFUSED
    assert "ConvolutionDepthWise has no 16-bit storage" in found.message


def test_the_crash_shows_without_convlaws():
    script = """
import os, ncnn, numpy as np
net = ncnn.Net()
net.opt.use_packing_layout = False
net.load_param_mem("7767517\\n2 2\\nInput x 0 1 x\\nConvolution c 1 1 x y 0=1 1=3 6=9 2=2\\n")
file = os.memfd_create("weights")
os.write(file, bytes(4 + 36))
net.load_model(f"/proc/self/fd/{file}")
extractor = net.create_extractor()
extractor.input("x", ncnn.Mat(np.ones((1, 5, 5), np.float32)).clone())
print(np.array(extractor.extract("y")[1]))
"""

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)

    assert done.returncode == -11
