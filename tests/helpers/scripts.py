"""Scripts for the scripted engine, processors of the tests' own, and the command run with them (see `scripted/`)."""

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
SITE = TESTS / "scripted" / "site"  # what makes rows of the scripted engine, where it is on the path
FLAGS = {  # what processors have, by the level of oneDNN that they reach
    "SSE41": "sse4_1",
    "AVX2": "sse4_1 avx avx2 fma",
    "AVX512_CORE": "sse4_1 avx avx2 fma avx512f avx512cd avx512bw avx512dq avx512vl",
}
FLAGS["AVX512_CORE_BF16"] = f"{FLAGS['AVX512_CORE']} avx512_vnni avx512_bf16"
FLAGS["AVX512_CORE_FP16"] = f"{FLAGS['AVX512_CORE_BF16']} avx512_fp16 avx_vnni"
FLAGS["AVX512_CORE_AMX"] = f"{FLAGS['AVX512_CORE_FP16']} amx_tile amx_int8 amx_bf16"
RESTRAINTS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")  # of the machine that the suite runs on


def script(folder: Path, *rules: Mapping[str, Any]) -> dict[str, str]:
    """The variable that makes the engine obey these rules."""
    (folder / "script.json").write_text(json.dumps(rules))
    return {"CONVLAWS_SCRIPT": str(folder / "script.json")}


def processor(folder: Path, level: str) -> dict[str, str]:
    """The variable that makes the harness and the engine take the processor for one of that level."""
    text = f"processor\t: 0\nmodel name\t: Scripted {level}\nflags\t\t: fpu {FLAGS[level]}\n\nprocessor\t: 1\n"
    (folder / f"cpuinfo-{level}").write_text(text)
    return {"CONVLAWS_CPUINFO": str(folder / f"cpuinfo-{level}")}


def environment(**variables: str) -> dict[str, str]:
    """That of a process which finds the engine's rows, with these variables and no restraint but theirs."""
    path = os.pathsep.join([str(TESTS), str(SITE), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    return {**{k: v for k, v in os.environ.items() if k not in RESTRAINTS}, "PYTHONPATH": path, **variables}


def convlaws(*words: Any, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess:
    """The command's end, where the engine is installed; it never shows a traceback."""
    command = [sys.executable, "-m", "convlaws", *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=180, check=False, env=environment(**variables)
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def scripted_rows() -> list[Method]:
    """The engine's rows, once its site is on the path of this process."""
    (point,) = (p for p in entry_points(group=plugins.GROUP) if p.name == "scripted")
    rows = plugins._rows(plugins._file(point))
    return [plugins._placed(plugins._method(row), point, plugins._switches(row)) for row in rows]
