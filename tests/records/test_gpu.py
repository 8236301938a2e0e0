"""What the GPU lane says of a machine: nvidia-smi's lines as NVIDIA prints them, and this machine as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import typed

from convlaws.records import environment, gpu

ROOT = Path(__file__).parents[2]
needs_none = pytest.mark.skipif(bool(gpu.device()), reason="there is a GPU")
SMI = """#!/bin/sh
echo "NVIDIA H100 80GB HBM3, 580.159.04, 9.0, 81559 MiB"
echo "NVIDIA A100-SXM4-40GB, 580.159.04, 8.0, 40960 MiB"
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A stand-in for nvidia-smi: what it prints is NVIDIA's format, what it says is made up."""
    stand_in = tmp_path / "nvidia-smi"
    stand_in.write_text(SMI)
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_the_first_gpu_is_described(told):
    found = gpu.device()

    assert found == {
        "name": "NVIDIA H100 80GB HBM3",
        "driver_version": "580.159.04",
        "compute_cap": "9.0",
        "memory.total": "81559 MiB",
    }
    assert gpu.short(found["name"]) == "h100-80gb-hbm3"


def test_a_driver_that_does_not_answer_is_no_gpu(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho Failed to communicate with the driver; exit 9\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + ":" + os.environ["PATH"])

    assert gpu.device() == {}


def test_torchs_versions_are_asked_of_another_process():
    import torch

    found = gpu.libraries()

    assert (found["torch"], found["cuda"]) == (torch.__version__, torch.version.cuda)
    assert (found["cudnn"] is None) == (torch.version.cuda is None)


@pytest.mark.parametrize(
    ("found", "versions", "says"),
    [
        ({}, {}, "no CUDA device was found: nvidia-smi is not there, or names none"),
        ({"name": "NVIDIA H200"}, {}, f"{sys.executable} has no torch"),
        ({"name": "NVIDIA H200"}, {"torch": "2.13.0+cpu", "cuda": None}, "torch 2.13.0+cpu of"),
        ({"name": "NVIDIA H200"}, {"torch": "2.13.0", "cuda": "13.0"}, ""),
    ],
)
def test_what_is_missing_is_said(found, versions, says):
    assert gpu.missing(found, versions).startswith(says)
    assert bool(gpu.missing(found, versions)) == bool(says)


def test_the_environment_has_the_gpu_only_if_it_is_asked_for(told):
    assert "gpu" not in environment.facts()
    assert environment.facts(gpu=True)["gpu"]["driver_version"] == "580.159.04"


@needs_none
@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_gpu_says_that_there_is_no_device_and_stops(tmp_path):
    for name in ("harness", "strategies", "reports"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "Makefile", tmp_path)

    command = ["make", "gpu", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2  # make's own; that of the recipe is in its message
    assert done.stderr.splitlines()[0] == (
        "convlaws: no CUDA device was found: nvidia-smi is not there, or names none; nothing was run"
    )
    assert f"Error {gpu.ABSENT}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "reports" / "gallery").glob("gpu-*"))


@needs_none
def test_a_check_of_the_lane_without_a_device_verifies_nothing_and_says_so(tmp_path):
    import json

    json_path = tmp_path / "findings.jsonl"
    law = ["--law", "equals-the-definition", "--op", "fprop", "--examples", "2", "--workers", "1"]
    done = typed("check", "cuda-cudnn", "cuda-native", *law, "--json", json_path)
    *found, summary = (json.loads(line) for line in json_path.read_text().splitlines())

    assert done.returncode == 5, done.stderr
    assert {f["verdict"] for f in found} == {"refused"}
    assert {f["message"] for f in found} == {summary_reason()}
    assert summary["environment"]["gpu"]["torch"]


def summary_reason():
    from convlaws.engines.torch_cuda import no_device

    return no_device()
