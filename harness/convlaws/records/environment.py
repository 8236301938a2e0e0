"""The environment of a run: versions, processor, threads. Nothing is imported to determine it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from convlaws.records import gpu as devices
from convlaws.records.finding import digest

# prefixes of the environment variables by which libraries choose their kernels
VARIABLES = ("OMP_", "MKL_", "DNNL_", "ONEDNN_", "ATEN_CPU", "XLA_FLAGS", "OPENBLAS_CORETYPE", "CUDA_", "CUDNN_")
PACKAGES = (
    *("convlaws", "torch", "numpy", "scipy", "hypothesis", "ml_dtypes", "nvidia-cudnn-frontend"),
    *("jax", "jaxlib", "onnxruntime", "onnx", "openvino", "opencv-python-headless", "ncnn", "mlx", "MNN", "tensorflow-cpu"),
)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> tuple[str, str]:
    """(model name, the vector extensions by which convolution kernels are chosen)."""
    return _read(os.environ.get("CONVLAWS_CPUINFO", "/proc/cpuinfo"))


@lru_cache(maxsize=8)
def _read(file: str) -> tuple[str, str]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError:
        return platform.processor(), ""
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    fields = {k.strip(): v.strip() for k, v in fields.items()}
    flags = [f for f in fields.get("flags", "").split() if f.startswith(("avx", "amx", "fma", "asimd"))]
    return fields.get("model name", platform.processor()), " ".join(flags)


def extensions() -> tuple[str, ...]:
    """The vector extensions of this processor, as /proc/cpuinfo (or the file that CONVLAWS_CPUINFO names) spells them."""
    return tuple(_processor()[1].split())


def processor() -> str:
    """The processor's model name."""
    return _processor()[0]


def facts(*, gpu: bool = False, packages: Iterable[str] = ()) -> dict:
    """The environment as a JSON object; `id` is a digest of the rest; the `gpu` only on request, as it takes seconds.

    Versions are those of PACKAGES and of the given `packages`.
    """
    model, flags = _processor()
    record = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": model,
        "cpu_flags": flags,
        "cpus": os.cpu_count(),
        "versions": {name: version for name in dict.fromkeys([*PACKAGES, *packages]) if (version := _version(name))},
        "variables": {k: v for k, v in os.environ.items() if k.startswith(VARIABLES)},
        **({"gpu": devices.facts()} if gpu else {}),
    }
    return {"id": digest(json.dumps(record, sort_keys=True)), **record}
