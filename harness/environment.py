"""What a result depends on: versions, processor, threads. Nothing is imported to find out."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from pathlib import Path

from convlaws.results import digest

PACKAGES = ("convlaws", "torch", "numpy", "scipy", "hypothesis", "ml_dtypes")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> tuple[str, str]:
    """(model name, the vector extensions that convolution kernels choose by)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor(), ""
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    fields = {k.strip(): v.strip() for k, v in fields.items()}
    flags = [f for f in fields.get("flags", "").split() if f.startswith(("avx", "amx", "fma", "asimd"))]
    return fields.get("model name", platform.processor()), " ".join(flags)


def facts() -> dict:
    """The environment as a JSON object; `id` stands for all the rest."""
    model, flags = _processor()
    found = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": model,
        "cpu_flags": flags,
        "cpus": os.cpu_count(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "variables": {k: v for k, v in os.environ.items() if k.startswith(("OMP_", "MKL_", "DNNL_", "ONEDNN_"))},
    }
    return {"id": digest(json.dumps(found, sort_keys=True)), **found}
