"""Sandbox: calls a method in a child process; InProcess makes the same calls in this one."""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Mapping
from typing import Any

from convlaws.errors import UsageError
from convlaws.problem.request import Reply, Request
from convlaws.sandbox.in_process import InProcess
from convlaws.sandbox.pending import Pending
from convlaws.sandbox.supervisor import GLANCE, TARGETS, Limits, Supervisor

__all__ = ["InProcess", "Sandbox"]


class Sandbox:
    """Runs methods in child processes that may crash, hang or use up memory: each of these is the ending of a reply.

    A target may have a process spec as `home` (see `convlaws.targets.process_spec`): each spec has a fork server and a child
    of its own, so what one library does to its process, or fails to import, affects no other.
    `time_limit` is in seconds and may be changed between calls, `memory_limit` in bytes of
    resident memory. Not for several threads at once.

    Raises:
        UsageError: the system is not Linux; or, at a call, the host cannot be loaded.
    """

    def __init__(self, *, host: str = "convlaws.engines.host", time_limit: float = 20.0, memory_limit: int = 4 << 30):
        if sys.platform != "linux":
            raise UsageError(f"the sandbox needs Linux, this is {sys.platform}; use --no-sandbox")
        self.host, self.limits = host, Limits(time_limit, memory_limit)
        self._supervisors: dict[str, Supervisor] = {}
        self._of_target: dict[int, tuple[Mapping[str, object], Supervisor]] = {}  # by the id of a target, which is kept with it

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def time_limit(self) -> float:
        """Seconds that a call may take."""
        return self.limits.seconds

    @time_limit.setter
    def time_limit(self, seconds: float) -> None:
        self.limits.seconds = seconds

    @property
    def deaths(self) -> int:
        """The number of children that ended in a call."""
        return sum(h.deaths for h in self._supervisors.values())

    def refresh(self) -> None:
        """Kill the children: the next call gets a fresh one."""
        for supervisor in self._supervisors.values():
            supervisor.refresh()

    def close(self) -> None:
        """End the children and the fork servers; a later call starts new ones."""
        for supervisor in self._supervisors.values():
            supervisor.close()

    def call(self, target: Mapping[str, object], request: Request) -> Reply:
        """Return the reply of `target`; nothing that the target does raises here.

        Raises:
            UsageError: the request's arrays do not agree with the request.
        """
        return self.supervisor(target).call(target, request)

    def submit(self, target: Mapping[str, object], request: Request) -> Pending:
        """Send a request without waiting for its reply; `collect` waits."""
        return self.supervisor(target).submit(target, request)

    def collect(self) -> None:
        """Wait until one more of the submitted requests has its reply; at once if none is left."""
        busy = [supervisor for supervisor in self._supervisors.values() if supervisor.busy]
        if len(busy) > 1:
            sockets = {supervisor.awaited(): supervisor for supervisor in busy}
            waits = [fd for fd in sockets if fd is not None]
            ready = [None] if None in sockets else select.select(waits, [], [], GLANCE)[0]
            busy = [sockets[fd] for fd in ready] or busy
        if busy:
            busy[0].collect()

    def abandon(self) -> None:
        """Forget what was submitted; children that are at work on it are killed."""
        for supervisor in self._supervisors.values():
            supervisor.abandon()

    def supervisor(self, target: Mapping[str, object]) -> Supervisor:
        """Return the supervisor of the process spec that `target` names."""
        known = self._of_target.get(id(target))
        if known is not None and known[0] is target:
            return known[1]
        home: Any = target.get("home") or {}
        key = json.dumps(home, sort_keys=True) if home else ""
        if key not in self._supervisors:
            self._supervisors[key] = Supervisor(self.host, home, self.limits)
        if len(self._of_target) >= TARGETS:
            self._of_target.clear()
        self._of_target[id(target)] = target, self._supervisors[key]
        return self._supervisors[key]
