"""Make a failure small, then make sure that it repeats."""

from __future__ import annotations

import time
from math import inf
from typing import Protocol

from convlaws.judge.case import Outcome
from convlaws.judge.cell import Cell, Failure
from convlaws.judge.replay import FRESH, k_of_n
from convlaws.known import Ledger
from convlaws.problem.problem import Problem
from convlaws.records.finding import Verdict
from convlaws.sandbox.runner import Runner
from convlaws.search.drawing import smallest
from convlaws.strategies.blocks import Drawn

EACH_SECONDS = 8.0  # the most that one failure is shrunk for
HANG_SECONDS = 1.0  # the time limit of a call while a hang is shrunk
TRIALS = 40  # fresh processes spent on making a history short


class ShrinkContext(Protocol):
    """What a shrinker needs of a search."""

    @property
    def runner(self) -> Runner: ...

    @property
    def ledger(self) -> Ledger: ...

    def examine(self, cell: Cell, problem: Problem, *, fresh: bool = False) -> Outcome: ...

    def explained(self, cell: Cell, problem: Problem, outcome: Outcome) -> str: ...


class _OutOfTimeError(BaseException):
    """Ends a Hypothesis run at once; it would take an Exception for a failing test."""


class Shrinker:
    """Shrinks by Hypothesis, which draws the problem again from its choices, and fails for one kind only.

    It has `allowance` seconds in all, of which one failure may take a few; or, with `tries`, as many tries for each,
    so that the small line does not depend on the machine's speed.
    """

    def __init__(self, search: ShrinkContext, allowance: float, tries: int | None = None, tries_of_a_hang: int | None = None):
        self.search, self.left = search, allowance
        self.deadline = inf  # by time.monotonic(): nothing is made small or repeated after it
        self.tries, self.tries_of_a_hang = tries, tries_of_a_hang
        self._small: dict[tuple[str, str], list[Problem]] = {}

    def shrink(self, cell: Cell, failure: Failure, drawn: Drawn) -> None:
        """Replace the failure's problem by a small one that fails alike; note how often that repeats."""
        started = time.monotonic()
        if started >= self.deadline:
            return  # the failure is told as it was drawn
        runner, limit = self.search.runner, self.search.runner.time_limit
        if failure.outcome.verdict is Verdict.HUNG:
            runner.time_limit = min(limit, HANG_SECONDS)
        try:
            if self._repeats(cell, failure, []):
                self._alone(cell, failure, drawn)
            else:
                self._not_alone(cell, failure)
        finally:
            runner.time_limit = limit
            self.left -= time.monotonic() - started

    def _alone(self, cell: Cell, failure: Failure, drawn: Drawn) -> None:
        """A failure that a fresh process shows: made small, and kept as it was if the small one needs more."""
        first = failure.problem, failure.outcome
        seconds = min(EACH_SECONDS if self.tries is None else inf, self.left, self.deadline - time.monotonic())
        if not self._adopt(cell, failure) and seconds > 0:
            self._search(cell, failure, drawn, seconds)
        if not self._counted(cell, failure) and failure.problem != first[0]:
            failure.problem, failure.outcome = first
            self._counted(cell, failure)

    def _not_alone(self, cell: Cell, failure: Failure) -> None:
        """A failure that needs what ran before it, or luck."""
        if not self._with_history(cell, failure):
            self._counted(cell, failure)
        failure.shrunk = True  # what it depends on is not in the problem, so a smaller one would say less

    def _counted(self, cell: Cell, failure: Failure) -> int:
        """How often it repeats in fresh processes (in one, once the time is over), noted unless it is always."""
        runs = FRESH if time.monotonic() < self.deadline else 1
        times = k_of_n(lambda: self._repeats(cell, failure, []), runs)
        failure.flaky = "" if times == runs else f"{times}/{runs}"
        return times

    def _fails(self, cell: Cell, failure: Failure, problem: Problem) -> Outcome | None:
        """The outcome of `problem` if it fails in the same way."""
        if cell.scope.refuses(problem) or self.search.ledger.avoids(cell.method, cell.law.name, problem):
            return None
        failure.tries += 1
        if cell.law.fresh:  # about what a process remembers: it should remember nothing of the tries before
            self.search.runner.refresh()
        outcome = self.search.examine(cell, problem, fresh=True)
        if not outcome.verdict.bad or outcome.signature != failure.outcome.signature:
            return None
        return outcome if self.search.explained(cell, problem, outcome) == failure.known else None

    def _adopt(self, cell: Cell, failure: Failure) -> bool:
        """Take a problem that another law's failure of this method was shrunk to, if it fails here too."""
        for problem in self._small.get((cell.method.name, cell.op), []):
            if outcome := self._fails(cell, failure, problem):
                failure.problem, failure.outcome, failure.shrunk = problem, outcome, True
                return True
        return False

    def _search(self, cell: Cell, failure: Failure, drawn: Drawn, seconds: float) -> None:
        first, deadline = failure.problem, time.monotonic() + seconds
        tries = self.tries_of_a_hang if failure.outcome.verdict is Verdict.HUNG else self.tries
        seen: dict[Problem, Outcome | None] = {}

        def fails(problem: Problem) -> bool:
            seen.setdefault(first, failure.outcome)
            if time.monotonic() >= deadline:
                raise _OutOfTimeError
            if problem not in seen:
                seen[problem] = None if tries is not None and len(seen) > tries else self._fails(cell, failure, problem)
            return seen[problem] is not None

        job = f"{cell.job}: shrinking {cell.method.name}"
        try:
            found = smallest(drawn, fails, job)
        except _OutOfTimeError:  # whatever Hypothesis tries is simpler than what failed before: the last is the smallest
            found = next((problem for problem in reversed(seen) if seen[problem]), None)
        if found is not None and (outcome := seen[found]):
            failure.problem, failure.outcome, failure.shrunk = found, outcome, True
            self._small.setdefault((cell.method.name, cell.op), []).append(found)

    def _repeats(self, cell: Cell, failure: Failure, before: list[Problem]) -> bool:
        self.search.runner.refresh()
        for problem in before:
            self.search.examine(cell, problem, fresh=True)
        outcome = self.search.examine(cell, failure.problem, fresh=True)
        return outcome.verdict.bad and outcome.signature == failure.outcome.signature

    def _with_history(self, cell: Cell, failure: Failure) -> bool:
        before = [Problem.parse(line) for line in failure.before]
        if not before or not self._repeats(cell, failure, before):
            return False
        step, trials = max(len(before) // 2, 1), 0
        while trials < TRIALS and time.monotonic() < self.deadline:
            for start in range(0, len(before), step):
                shorter = before[:start] + before[start + step :]
                trials += 1
                failure.tries += 1
                if shorter and self._repeats(cell, failure, shorter):
                    before = shorter
                    break
            else:
                if step == 1:
                    break
                step //= 2
        failure.history = [str(p) for p in before]
        return True
