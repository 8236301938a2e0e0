"""The kernels of examples/: each keeps every law that is put to it, each slip is found, in the sandbox; each benchmark runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import convlaws

EXAMPLES = Path(__file__).parents[2] / "examples"
ABSENT = {
    "numba_conv.py": "" if find_spec("numba") else "numba is not installed",
    "c_conv.py": "" if shutil.which("cc") else "there is no C compiler cc",
    "triton_conv.py": "" if find_spec("triton") else "triton is not installed",
}
# the definition, and two laws about memory, which a kernel of one's own is apt to break
LAWS = ("equals-the-definition", "nothing-outside-is-read", "layout-does-not-matter")
# a problem on which each slip shows, by reason: a place before the image; an array with gaps; a sum whose tail is not masked
SHOWS = {
    "numba_conv.py": "n1c1k1_x3x3_r2x2_s1x1_p1x1 fprop float64",
    "c_conv.py": "n1c2k1_x2x3_r1x1 fprop float32 channels_last",
    "triton_conv.py": "n1c3k2_x3x3_r2x2 fprop float32",
}
each = pytest.mark.parametrize("file", ABSENT)


@pytest.fixture(autouse=True)
def _installed(file, tmp_path, monkeypatch):
    if ABSENT[file]:
        pytest.skip(ABSENT[file])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # what is compiled


def checked(file, name, **options):
    return convlaws.check(f"{EXAMPLES / file}:{name}", **{"laws": LAWS, "examples": 20, **options})


@each
def test_the_kernel_keeps_the_laws_and_judges_something(file):
    found = [f for f in checked(file, "conv2d") if f.op == "fprop"]

    assert {(f.law, str(f.verdict)) for f in found} == {(law, "kept") for law in LAWS}
    assert all(f.examples >= 20 for f in found)


@each
def test_the_slip_is_found(file):
    found = checked(file, "conv2d_with_a_slip", laws=LAWS[:1])

    bad = [f for f in found if f.verdict.bad]
    assert {str(f.verdict) for f in bad} == {"broken"}


@each
def test_the_slip_shows_on_its_line(file):
    command = [sys.executable, "-m", "convlaws", "repeat", SHOWS[file], f"{EXAMPLES / file}:conv2d_with_a_slip"]

    done = subprocess.run([*command, "--law", "equals-the-definition"], capture_output=True, text=True, check=False)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "breaks equals-the-definition" in done.stdout


@each
def test_the_benchmark_prints_its_times_beside_those_of_torch(file):
    done = subprocess.run([sys.executable, EXAMPLES / file], capture_output=True, text=True, timeout=170, check=False)

    assert done.returncode == 0, done.stderr
    mine, theirs = done.stdout.splitlines()
    assert (mine[-2:], theirs[-2:], theirs.split()[0]) == ("ms", "ms", "torch")
