"""Property-based verification and benchmarking of convolutions.

The public names are imported on first access, so that importing the package is cheap.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "ConvSpec": "convlaws.problem.spec",
    "Finding": "convlaws.records.finding",
    "Known": "convlaws.api",
    "Problem": "convlaws.problem.problem",
    "Refusal": "convlaws.errors",
    "Scope": "convlaws.problem.scope",
    "Verdict": "convlaws.records.finding",
    "check": "convlaws.api",
    "declares": "convlaws.targets.declaration",
    "dense_matrix": "convlaws.methods.matrices",
    "differentiable": "convlaws.operators",
    "law_table": "convlaws.pytest_plugin",
    "linear_operator": "convlaws.operators",
    "sparse_matrix": "convlaws.methods.matrices",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'convlaws' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
