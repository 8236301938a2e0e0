"""Scripts for the scripted engine, simulated processors, and the command run with them (see `scripted/`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from convlaws.targets import plugins
from convlaws.targets.registry import Method

TESTS = Path(__file__).parent
SITE = TESTS / "scripted" / "site"  # on the path, it registers the rows of the scripted engine
FLAGS = {  # the flags of processors, by the level of oneDNN that they reach
    "SSE41": "sse4_1",
    "AVX2": "sse4_1 avx avx2 fma",
    "AVX512_CORE": "sse4_1 avx avx2 fma avx512f avx512cd avx512bw avx512dq avx512vl",
}
FLAGS["AVX512_CORE_BF16"] = f"{FLAGS['AVX512_CORE']} avx512_vnni avx512_bf16"
FLAGS["AVX512_CORE_FP16"] = f"{FLAGS['AVX512_CORE_BF16']} avx512_fp16 avx_vnni"
FLAGS["AVX512_CORE_AMX"] = f"{FLAGS['AVX512_CORE_FP16']} amx_tile amx_int8 amx_bf16"
RESTRAINTS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")  # they limit the level on the suite's machine


def script(folder: Path, *rules: Mapping[str, Any]) -> dict[str, str]:
    """Write the rules and return the environment variable that makes the engine use them."""
    (folder / "script.json").write_text(json.dumps(rules))
    return {"CONVLAWS_SCRIPT": str(folder / "script.json")}


def processor(folder: Path, level: str) -> dict[str, str]:
    """Return the environment variable that makes the harness and the engine see a processor of that level."""
    text = f"processor\t: 0\nmodel name\t: Scripted {level}\nflags\t\t: fpu {FLAGS[level]}\n\nprocessor\t: 1\n"
    (folder / f"cpuinfo-{level}").write_text(text)
    return {"CONVLAWS_CPUINFO": str(folder / f"cpuinfo-{level}")}


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a process that finds the engine's rows, with no RESTRAINTS but those in `variables`."""
    path = os.pathsep.join([str(TESTS), str(SITE), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    return {**{k: v for k, v in os.environ.items() if k not in RESTRAINTS}, "PYTHONPATH": path, **variables}


def convlaws(*words: Any, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess:
    """Run the command with the engine installed; fail if it prints a traceback."""
    command = [sys.executable, "-m", "convlaws", *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=180, check=False, env=environment(**variables)
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def scripted_rows() -> list[Method]:
    """Return the engine's rows; its site must be on the path of this process."""
    (point,) = (p for p in entry_points(group=plugins.GROUP) if p.name == "scripted")
    rows = plugins._rows(plugins._file(point))
    return [plugins._placed(plugins._method(row), point, plugins._switches(row)) for row in rows]
