"""Cases side by side: while one waits for a reply, others ask, or are judged.

Each case runs in a coroutine of its own (a greenlet), which gives way where it waits for a reply. A law is written as if
its calls were answered at once, and the child is never idle because the parent judges.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from greenlet import greenlet

from convlaws.judge.case import Outcome
from convlaws.problem.request import Reply, Request
from convlaws.sandbox.runner import CachingRunner, Runner


@dataclass(eq=False)
class _Case:
    work: Callable[[], Outcome]
    done: Callable[[Outcome], None]
    outcome: Outcome | None = None
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.coroutine = greenlet(self.run)

    def run(self) -> None:
        try:
            self.outcome = self.work()
        except Exception as error:
            self.error = error


class SideBySide(CachingRunner):
    """A caching runner whose calls give way to other cases, if they are made by a case that it runs.

    Outcomes are told in the order in which the cases were started, whatever the order of the replies.
    """

    def __init__(self, runner: Runner):
        super().__init__(runner)
        self._cases: deque[_Case] = deque()
        self._ready: deque[_Case] = deque()
        self._running: _Case | None = None

    def __len__(self) -> int:
        """The number of cases whose outcome has not been told."""
        return len(self._cases)

    def start(self, work: Callable[[], Outcome], done: Callable[[Outcome], None]) -> None:
        """Run a case as far as its first reply that is not there yet; `done` gets its outcome, within `finish`.

        An Exception of `work` is raised by `finish` in its turn, once the outcomes of the cases before are told; any other
        exception at once.
        """
        case = _Case(work, done)
        self._cases.append(case)
        self._resume(case)

    def finish(self, left: int = 0) -> None:
        """Run the cases, and tell their outcomes, until no more than `left` are unfinished."""
        while len(self._cases) > left:
            case = self._cases[0]
            if case.error is not None:
                self._tell_what_ended()
                raise case.error
            if case.outcome is not None:
                self._cases.popleft()
                case.done(case.outcome)
            elif self._ready:
                self._resume(self._ready.popleft())
            else:
                self.collect()

    def _tell_what_ended(self) -> None:
        """Tell the outcomes of the cases that have ended, or end with the replies that are there: an error loses none."""
        while self._ready:
            self._resume(self._ready.popleft())
        for case in self._cases:
            if case.outcome is not None:
                case.done(case.outcome)

    def abandon(self) -> None:
        """Forget the cases that are unfinished, and what they asked for."""
        cases, self._cases = self._cases, deque()
        self._ready.clear()
        for case in cases:
            if not case.coroutine.dead:
                case.coroutine.throw()
        super().abandon()

    def call(self, target: Mapping[str, Any], request: Request) -> Reply:
        """Return the reply; other cases run until it is there."""
        case = self._running
        if case is None:
            return super().call(target, request)
        pending = self.submit(target, request)
        if not pending.done:
            pending.waiters.append(lambda: self._ready.append(case))
            case.coroutine.parent.switch()
        return pending.taken()

    def _resume(self, case: _Case) -> None:
        self._running = case
        try:
            case.coroutine.switch()
        finally:
            self._running = None
