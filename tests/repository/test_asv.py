"""asv itself on our suite: what it finds, what it saves, and that a wrong method gets no value."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("asv", reason="asv is not installed: pip install 'convlaws[bench]'")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def asv(tmp_path):
    """asv in a repository of one commit with our benchmarks, and a home of its own for the name of the machine."""
    where = tmp_path / "repo"
    shutil.copytree(ROOT / "benchmarks", where / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "asv.conf.json", where)
    calls = where / "benchmarks" / "bench_calls.py"
    chosen = 'METHODS = ("im2col", "mutant-flipped-kernel", "loop-one-channel")'
    calls.write_text(calls.read_text().replace("METHODS = tuple(row.name for row in rows())", chosen))
    home = {**os.environ, "HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": os.devnull}

    def run(*words: str, program: tuple[str, ...] = (sys.executable, "-m", "asv")) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, *words], cwd=where, env=home, capture_output=True, text=True, check=False, timeout=300)

    for words in (
        ("init", "-q", "-b", "main"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"),
    ):
        assert run(*words, program=("git",)).returncode == 0
    assert run("machine", "--yes", "--machine", "here").returncode == 0
    run.where = where
    return run


def test_asv_finds_no_problem(asv):
    done = asv("check", "--python=same")

    assert "No problems found" in done.stdout
    assert done.returncode == 0


def test_asv_saves_a_time_of_a_right_method_and_none_of_a_wrong_one(asv):
    only = r"bench_calls.Quick.time_call\(.tiny"

    done = asv(
        "run", "--quick", "--python=same", "--set-commit-hash", "HEAD", "--machine", "here", "--bench", only, "--show-stderr"
    )

    (file,) = [f for f in (asv.where / ".asv/results/here").glob("*.json") if f.name != "machine.json"]
    record = json.loads(file.read_text())
    found = dict(zip(record["result_columns"], record["results"]["bench_calls.Quick.time_call"], strict=False))
    times = dict(zip(found["params"][1], found["result"], strict=False))
    assert done.returncode == 2
    assert "mutant-flipped-kernel has no time" in done.stdout
    assert times["'im2col'"] > 0
    assert times["'mutant-flipped-kernel'"] is None
    assert times["'loop-one-channel'"] > 0
