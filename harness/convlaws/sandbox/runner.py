"""A runner that remembers: laws on one problem ask for the same result again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from convlaws.problem.request import Reply, Request

MOST = 1024  # replies kept; a problem and all its laws need a few dozen a method


class Runner(Protocol):
    """What runs a method: a sandbox, or this process."""

    time_limit: float

    def call(self, target: Mapping[str, Any], request: Request) -> Reply: ...

    def refresh(self) -> None: ...

    def close(self) -> None: ...


class CachingRunner:
    """Asks `runner` once for each (target, request); the very same arrays make the same request.

    Only arrays that nobody can change are told apart by identity. What is about repetition
    (see `Law.fresh`), shrinking and repeating use `runner` itself.
    """

    def __init__(self, runner: Runner):
        self.runner = runner
        self._kept: dict[tuple, tuple[Reply, Request]] = {}

    @property
    def time_limit(self) -> float:
        """Seconds that a call may take."""
        return self.runner.time_limit

    @time_limit.setter
    def time_limit(self, seconds: float) -> None:
        self.runner.time_limit = seconds

    def call(self, target: Mapping[str, Any], request: Request) -> Reply:
        """The reply, from memory if it is there; the arrays are kept with it, so that their ids stay theirs."""
        if any(a.flags.writeable for a in request.operands.values()):
            return self.runner.call(target, request)
        arrays = tuple((role, id(a)) for role, a in request.operands.items())
        how = (request.spec, request.op, request.layout, request.shift, request.guard, request.threads, request.note)
        key = (_name(target), how, arrays)
        if key not in self._kept:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = (self.runner.call(target, request), request)
        return self._kept[key][0]

    def refresh(self) -> None:
        """Forget, and give the runner a fresh child."""
        self._kept.clear()
        self.runner.refresh()

    def close(self) -> None:
        """Close the runner."""
        self._kept.clear()
        self.runner.close()


def _name(target: Mapping[str, Any]) -> tuple[str, str, tuple]:
    """What tells targets apart: the row or function, and the interpreter and the variables of its process."""
    home = target.get("home") or {}
    return target.get("row") or target.get("function", ""), home.get("python", ""), tuple(home.get("variables", {}).items())


def uncached(runner: Runner) -> Runner:
    """The runner beneath, which runs every call."""
    return runner.runner if isinstance(runner, CachingRunner) else runner
