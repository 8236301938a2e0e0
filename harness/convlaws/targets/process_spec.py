"""ProcessSpec: the process in which a method runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """The state of a process before a method runs in it; methods with equal specs share a fork server.

    `modules` are imported before the fork: only those that start no thread on import.
    `variables` are set before any import: those that switch off a library's telemetry belong here.
    `python` is the interpreter of a virtual environment, "" the current one.
    """

    modules: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    python: str = ""

    @property
    def shared(self) -> bool:
        """True for the specs that our own methods, torch's rows and users' functions share."""
        return self in _SHARED

    def to_target(self) -> dict[str, Any]:
        """Return the spec as it is written into a target."""
        return {"modules": list(self.modules), "variables": dict(self.variables), "python": self.python}


# by the library that a method computes with: a run without torch methods does not import torch (1.3 s and 500 MB)
WITH_NUMPY = ProcessSpec()
WITH_SCIPY = ProcessSpec(modules=("scipy.fft", "scipy.sparse", "scipy.signal", "scipy.linalg"))
WITH_TORCH = ProcessSpec(modules=("torch", "torch.fx.experimental.symbolic_shapes"))
_SHARED = (WITH_NUMPY, WITH_SCIPY, WITH_TORCH)
