"""Home: the process in which a method runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Home:
    """What must be true of a process before a method is run in it; methods of one home share a zygote.

    `modules` are imported before the fork: only those that start no thread when they are imported (None: what our own
    methods and torch need).
    `variables` are set before anything is imported: what switches a library's telemetry off belongs here.
    `python` is the interpreter of an environment of its own, "" this one.
    """

    modules: tuple[str, ...] | None = ()
    variables: tuple[tuple[str, str], ...] = ()
    python: str = ""

    def to_target(self) -> dict[str, Any]:
        """The home as it is written into a target."""
        return {
            "modules": self.modules if self.modules is None else list(self.modules),
            "variables": dict(self.variables),
            "python": self.python,
        }
