"""What a result depends on: versions, processor, threads. Nothing is imported to find out."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Collection
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from convlaws import accelerator
from convlaws.results import digest

VARIABLES = ("OMP_", "MKL_", "DNNL_", "ONEDNN_", "CUDA_", "CUDNN_")  # what libraries choose their kernels by
PACKAGES = (
    *("convlaws", "torch", "numpy", "scipy", "hypothesis", "ml_dtypes", "nvidia-cudnn-frontend"),
    *("jax", "jaxlib", "onnxruntime", "onnx", "openvino", "opencv-python-headless", "ncnn", "mlx", "MNN", "tensorflow-cpu"),
)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


@lru_cache(maxsize=1)
def _processor() -> tuple[str, str]:
    """(model name, the vector extensions that convolution kernels choose by)."""
    try:
        text = Path(os.environ.get("CONVLAWS_CPUINFO", "/proc/cpuinfo")).read_text(encoding="utf-8")
    except OSError:
        return platform.processor(), ""
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    fields = {k.strip(): v.strip() for k, v in fields.items()}
    flags = [f for f in fields.get("flags", "").split() if f.startswith(("avx", "amx", "fma", "asimd"))]
    return fields.get("model name", platform.processor()), " ".join(flags)


# what makes a library choose its kernels as if the processor had less
RESTRAINTS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")


def _held() -> list[str]:
    return [f"{name}={os.environ[name]}" for name in RESTRAINTS if name in os.environ]


def lacks(extensions: Collection[str]) -> str:
    """Why the processor has not these vector extensions ('!name': has one too many), in words; '' if it may work as if."""
    flags = _processor()[1].split()
    wrong = [f"has {e[1:]}" for e in extensions if e.startswith("!") and e[1:] in flags and not _held()]
    missing = [f"has no {e}" for e in extensions if not e.startswith("!") and e not in flags]
    return f"the processor {' and '.join(wrong + missing)}" if wrong or missing else ""


def hidden_by(extensions: Collection[str]) -> str:
    """Why what depends on these extensions need not show here, in words: the processor, or a variable; '' if it should."""
    held = _held() if extensions else []
    return lacks(extensions) or (f"{', '.join(held)} may choose other kernels" if held else "")


def facts(*, gpu: bool = False) -> dict:
    """The environment as a JSON object, its `id` for all the rest; the `gpu` only if it is asked for, as it takes seconds."""
    model, flags = _processor()
    found = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": model,
        "cpu_flags": flags,
        "cpus": os.cpu_count(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "variables": {k: v for k, v in os.environ.items() if k.startswith(VARIABLES)},
        **({"gpu": accelerator.facts()} if gpu else {}),
    }
    return {"id": digest(json.dumps(found, sort_keys=True)), **found}
