"""CachingRunner: stores replies, as the laws on one problem request the same result many times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from convlaws.problem.request import Reply, Request
from convlaws.sandbox.pending import Pending

MOST = 1024  # replies kept; a problem and all its laws need a few dozen per method


class Runner(Protocol):
    """The interface for running a method: in a sandbox, or in this process."""

    time_limit: float

    def call(self, target: Mapping[str, Any], request: Request) -> Reply: ...

    def submit(self, target: Mapping[str, Any], request: Request) -> Pending: ...

    def collect(self) -> None: ...

    def abandon(self) -> None: ...

    def refresh(self) -> None: ...

    def close(self) -> None: ...


class CachingRunner:
    """Calls `runner` once for each (target, request); requests are the same if their arrays are the same objects.

    Requests with writeable arrays are not cached. Laws on repetition (see `Law.fresh`), shrinking
    and repeating use `runner` itself.
    """

    def __init__(self, runner: Runner):
        self.runner = runner
        self._kept: dict[tuple, Pending] = {}  # a request is kept with its reply, so that the ids of its arrays are not reused

    @property
    def time_limit(self) -> float:
        """Seconds that a call may take."""
        return self.runner.time_limit

    @time_limit.setter
    def time_limit(self, seconds: float) -> None:
        self.runner.time_limit = seconds

    def call(self, target: Mapping[str, Any], request: Request) -> Reply:
        """Return the reply, from the cache if it is there."""
        pending = self.submit(target, request)
        while not pending.done:
            self.collect()
        return pending.taken()

    def submit(self, target: Mapping[str, Any], request: Request) -> Pending:
        """Send the request, unless it was sent before; `collect` waits for a reply."""
        if any(a.flags.writeable for a in request.operands.values()):
            return self.runner.submit(target, request)
        arrays = tuple((role, id(a)) for role, a in request.operands.items())
        how = (request.spec, request.op, request.layout, request.shift, request.guard, request.threads, request.note)
        key = (_name(target), how, arrays)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MOST:
                self._kept.clear()
            kept = self._kept[key] = self.runner.submit(target, request)
        return kept

    def collect(self) -> None:
        """Wait until one more of the submitted requests has its reply."""
        self.runner.collect()

    def abandon(self) -> None:
        """Forget what was submitted and has no reply."""
        self._kept = {key: pending for key, pending in self._kept.items() if pending.done}
        self.runner.abandon()

    def refresh(self) -> None:
        """Clear the cache, and give the runner a fresh child."""
        self._kept.clear()
        self.runner.refresh()

    def close(self) -> None:
        """Clear the cache and close the runner."""
        self._kept.clear()
        self.runner.close()


def _name(target: Mapping[str, Any]) -> tuple[str, str, tuple]:
    """Return a target's part of the cache key: its row or function, and the interpreter and variables of its process."""
    home = target.get("home") or {}
    return target.get("row") or target.get("function", ""), home.get("python", ""), tuple(home.get("variables", {}).items())


def uncached(runner: Runner) -> Runner:
    """Return the runner without the cache, which runs every call."""
    return runner.runner if isinstance(runner, CachingRunner) else runner
