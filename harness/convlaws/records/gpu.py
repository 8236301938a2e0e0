"""The NVIDIA GPU of this machine, from nvidia-smi and from torch in a process of its own. Nothing is imported here.

As a script it prints a short name of the GPU, for file names; if something is missing it says so on stderr and exits with ABSENT.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

ABSENT = 5  # exit status: nothing can be verified here, as in `convlaws check`
PATIENCE = 120.0  # seconds for either to answer; torch may be imported from a cold disk
QUERY = ("name", "driver_version", "compute_cap", "memory.total")
TORCH = """
import json, torch
cudnn = torch.backends.cudnn.version() if torch.version.cuda else None
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": cudnn}))
"""


def heard(command: list[str]) -> str:
    """The output of a command; '' if it is not there, fails, or exceeds PATIENCE."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def device() -> dict[str, str]:
    """The facts on the first GPU from nvidia-smi; empty if there is none."""
    lines = heard(["nvidia-smi", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader"]).splitlines()
    return described(lines[0]) if lines else {}


def described(line: str) -> dict[str, str]:
    """The fields of one output line of nvidia-smi.

    >>> described("NVIDIA H200, 580.159.03, 9.0, 143771 MiB")["driver_version"]
    '580.159.03'
    """
    return dict(zip(QUERY, (field.strip() for field in line.split(",")), strict=False))


def libraries() -> dict[str, object]:
    """The versions of torch, and of the CUDA and cuDNN that it uses; empty if there is no torch."""
    told = heard([sys.executable, "-c", TORCH])
    return json.loads(told.splitlines()[-1]) if told else {}


def facts() -> dict[str, object]:
    """Device and libraries as a JSON object."""
    return {**device(), **libraries()}


def short(name: str) -> str:
    """A GPU's name in a form for file names.

    >>> short("NVIDIA H100 80GB HBM3")
    'h100-80gb-hbm3'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower().removeprefix("nvidia")).strip("-")


def missing(found: dict[str, str], versions: dict[str, object]) -> str:
    """What is missing for a run on the GPU, as text; '' if nothing."""
    if not found:
        return "no CUDA device was found: nvidia-smi is not there, or names none"
    if not versions:
        return f"{sys.executable} has no torch"
    if not versions["cuda"]:
        return f"torch {versions['torch']} of {sys.executable} is built without CUDA"
    return ""


def main() -> int:
    """Print the short name; return the exit status."""
    gpu = device()
    reason = missing(gpu, libraries() if gpu else {})
    print(f"convlaws: {reason}; nothing was run" if reason else short(gpu["name"]), file=sys.stderr if reason else sys.stdout)
    return ABSENT if reason else 0


if __name__ == "__main__":
    sys.exit(main())
