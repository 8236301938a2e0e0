"""Home: the process in which a method runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """What must be true of a process before a method is run in it; methods of one home share a zygote.

    `modules` are imported before the fork: only those that start no thread when they are imported.
    `variables` are set before anything is imported: what switches a library's telemetry off belongs here.
    `python` is the interpreter of an environment of its own, "" this one.
    """

    modules: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    python: str = ""

    @property
    def shared(self) -> bool:
        """Whether it is one of those that our own methods, torch's rows and users' functions share."""
        return self in _SHARED

    def to_target(self) -> dict[str, Any]:
        """The home as it is written into a target."""
        return {"modules": list(self.modules), "variables": dict(self.variables), "python": self.python}


# by what a method computes with: a run that asks no method of torch's imports no torch (1.3 s and 500 MB)
WITH_NUMPY = ProcessSpec()
WITH_SCIPY = ProcessSpec(modules=("scipy.fft", "scipy.sparse", "scipy.signal", "scipy.linalg"))
WITH_TORCH = ProcessSpec(modules=("torch", "torch.fx.experimental.symbolic_shapes"))
_SHARED = (WITH_NUMPY, WITH_SCIPY, WITH_TORCH)
