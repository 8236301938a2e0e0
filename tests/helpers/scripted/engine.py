"""The scripted engine: right, unless a rule of its script holds.

The script is the JSON file that CONVLAWS_SCRIPT names, a list of rules of which the first that holds is obeyed:

    {"where": {"op": "wgrad", "dtype": ["float16", "bfloat16"], "dilated": true},   features of the problem, fields of its spec
     "needs": ["avx512_bf16"],              what the processor must have, as /proc/cpuinfo spells it
     "row": "scripted-too",                 only in this row
     "do": "wrong", ...}                    a key of DEEDS; what else is said goes to the deed

Its processor is that of the file which CONVLAWS_CPUINFO names, held back by ONEDNN_MAX_CPU_ISA of its own process.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from convlaws.engines import kernel_log
from convlaws.errors import Refusal
from convlaws.problem.features import features
from convlaws.problem.problem import Problem
from scripted.definition import computed

Rule = Mapping[str, Any]
# what each level of ONEDNN_MAX_CPU_ISA adds to the one before; what is named nowhere is never held back
LEVELS = {
    "SSE41": ("sse4_1",),
    "AVX": ("avx",),
    "AVX2": ("avx2", "fma"),
    "AVX512_CORE": ("avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"),
    "AVX512_CORE_VNNI": ("avx512_vnni",),
    "AVX512_CORE_BF16": ("avx512_bf16",),
    "AVX512_CORE_FP16": ("avx512_fp16", "avx_vnni"),
    "AVX512_CORE_AMX": ("amx_tile", "amx_int8", "amx_bf16"),
    "AVX512_CORE_AMX_FP16": ("amx_fp16",),
}


# --- the processor ------------------------------------------------------------------------
def level() -> set[str]:
    """The flags of the processor that this process may use."""
    text = Path(os.environ.get("CONVLAWS_CPUINFO", "/proc/cpuinfo")).read_text(encoding="utf-8")
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    flags = {flag for name, _, value in lines if name.strip() in ("flags", "Features") for flag in value.split()}
    names = list(LEVELS)
    highest = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "DEFAULT")).upper()
    held = names[names.index(highest) + 1 :] if highest in names else []  # as oneDNN: a level that is none holds nothing back
    return flags - {flag for name in held for flag in LEVELS[name]}


# --- the script ---------------------------------------------------------------------------
@lru_cache(maxsize=4)
def _read(path: str, changed: int) -> list[Rule]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def rules() -> list[Rule]:
    """The script at hand; no rule where there is none."""
    path = os.environ.get("CONVLAWS_SCRIPT", "")
    return _read(path, os.stat(path).st_mtime_ns) if path else []


def holds(rule: Rule, row: str, spec: Any, op: str, dtype: str) -> bool:
    """Whether the rule is about this row, problem and processor."""
    if rule.get("row", row) != row or not set(rule.get("needs", ())) <= level():
        return False
    there = {"op": op, "dtype": dtype}
    if op in ("fprop", "dgrad", "wgrad", "bgrad"):
        there |= features(Problem(spec=spec, op=op, dtype=dtype))
    for name, wanted in rule.get("where", {}).items():
        value = there[name] if name in there else getattr(spec, name)
        value = list(value) if isinstance(value, tuple) else value
        if value != wanted and not (isinstance(wanted, list) and value in wanted):
            return False
    return True


# --- what it does --------------------------------------------------------------------------
def _first(y: np.ndarray, value: Any) -> np.ndarray:
    if y.size:
        y[(0,) * y.ndim] = value
    return y


def _flushed(y: np.ndarray) -> np.ndarray:
    """Without subnormal numbers."""
    least = (ml_dtypes.finfo if y.dtype.name == "bfloat16" else np.finfo)(y.dtype).smallest_normal
    return np.where(np.abs(y) < least, np.zeros_like(y), y)


def _wrong(rule: Rule, right: Any, partial: Any) -> np.ndarray:
    y = right()
    return _first(y, y.flat[0] + rule.get("by", 1)) if y.size else y


def _crash(rule: Rule, right: Any, partial: Any) -> np.ndarray:
    ctypes.string_at(0)
    raise AssertionError("a read of address 0 came back")


def _raise(rule: Rule, right: Any, partial: Any) -> np.ndarray:
    raise RuntimeError(rule.get("says", "as the script says"))


def _refuse(rule: Rule, right: Any, partial: Any) -> np.ndarray:
    raise Refusal(rule.get("says", "as the script says"))


def _sleep(rule: Rule, right: Any, partial: Any) -> np.ndarray:
    time.sleep(rule.get("seconds", 3600))
    return right()


def _flaky(rule: Rule, right: Any, partial: Any) -> np.ndarray:
    """Wrong with the `chance`, or else in the first process that ever comes here."""
    if "chance" in rule:
        return _wrong(rule, right, partial) if random.SystemRandom().random() < rule["chance"] else right()
    trace = Path(os.environ["CONVLAWS_SCRIPT"] + ".first")
    try:
        with trace.open("x") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        pass
    return _wrong(rule, right, partial) if trace.read_text() == str(os.getpid()) else right()


DEEDS = {
    "crash": _crash,
    "abort": lambda rule, right, partial: os.abort(),
    "exit": lambda rule, right, partial: os._exit(rule.get("status", 1)),
    "hang": _sleep,
    "sleep": _sleep,
    "raise": _raise,
    "refuse": _refuse,
    "wrong": _wrong,
    "nan": lambda rule, right, partial: _first(right(), np.nan),
    "shape": lambda rule, right, partial: right()[..., :-1],
    "flaky": _flaky,
    "flush": lambda rule, right, partial: _flushed(right()),
    "half-partials": lambda rule, right, partial: partial(),
    "nothing": lambda rule, right, partial: right(),
}


def answer(row: str, spec: Any, op: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the engine answers: by the script, else rightly."""
    dtype = next(iter(arrays.values())).dtype.name
    rule = next((rule for rule in rules() if holds(rule, row, spec, op, dtype)), {"do": "nothing"})
    kernel_log.ran(rule.get("ran", "scripted by taps"))
    if "prints" in rule:
        print(rule["prints"], file=sys.stderr, flush=True)
    return DEEDS[rule["do"]](rule, lambda: computed(spec, op, arrays), lambda: computed(spec, op, arrays, partials=True))


def adapter(spec: Any, op: str, arrays: Mapping[str, np.ndarray], options: Mapping[str, Any]) -> np.ndarray:
    """The engine as convlaws calls it."""
    return answer(options.get("row", "scripted"), spec, op, arrays)
