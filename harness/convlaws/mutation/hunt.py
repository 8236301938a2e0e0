"""Quest: the search for one mutant with one seed: the time until the first law breaks, and the shrunk failure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from convlaws.judge.case import Outcome
from convlaws.judge.cell import Cell, Failure
from convlaws.judge.replay import repeated
from convlaws.laws.registry import laws
from convlaws.mutation.minimal import apart
from convlaws.problem.problem import Problem
from convlaws.sandbox.runner import Runner
from convlaws.search.plan import Plan
from convlaws.search.search import Search, StopError
from convlaws.strategies.blocks import Drawn
from convlaws.targets.registry import Method

HURRY = 0.5  # seconds for a call; the problems of mutants take milliseconds


@dataclass
class Catch:
    """The first failure of a search, with the number of cases and the seconds of the search's clock until then."""

    cell: Cell
    failure: Failure
    examples: int
    seconds: float
    first: str


@dataclass
class Quest:
    """The result of a hunt. A case is a problem put to the mutant under a law; `seconds` are wall-clock time.

    `line` is what the first failing problem was shrunk to, `apart` its fields that differ from the simplest value,
    `tries` the cases run for that, `before` the lines that have to run first, `breaks` the laws that the line breaks.
    """

    found: bool
    examples: int
    seconds: float
    law: str = ""
    verdict: str = ""
    signature: str = ""
    first: str = ""
    line: str = ""
    apart: list[str] = field(default_factory=list)
    tries: int = 0
    before: list[str] = field(default_factory=list)
    flaky: str = ""
    breaks: list[str] = field(default_factory=list)


class Hunt(Search):
    """A search that ends at its first failure, and shrinks it if `shrinks` is set."""

    caught: Catch | None = None
    shrinks = False

    def _shrink(self) -> None:
        if self.shrinks:
            super()._shrink()

    def _record(self, cell: Cell, drawn: Drawn, outcome: Outcome) -> None:
        super()._record(cell, drawn, outcome)
        if self.waiting:
            cell, failure, _ = self.waiting[0]
            self.caught = Catch(cell, failure, self.judged, time.monotonic() - self.started, str(drawn.problem))
            raise StopError


def hunt(method: Method, runner: Runner, seed: int, seconds: float, *, shrinks: bool = False) -> Quest:
    """Search for a failure of `method` until one is found or the seconds are over; the clock starts at the first draw.

    With `shrinks`, the failure is then shrunk, and its line judged under every law.
    """
    runner.refresh()  # drop the state that another mutant left in the process
    search = Hunt(Plan([method], laws(), seed=seed, budget=seconds), runner)
    search.shrinks = shrinks
    search.run()
    caught = search.caught
    if caught is None:
        return Quest(False, search.judged, min(time.monotonic() - search.started, seconds))
    failure, outcome = caught.failure, caught.failure.outcome
    plain = Quest(True, caught.examples, round(caught.seconds, 4), caught.cell.law.name, str(outcome.verdict), outcome.signature)
    plain.first = caught.first
    return _small(plain, method, failure, runner) if shrinks else plain


def _small(quest: Quest, method: Method, failure: Failure, runner: Runner) -> Quest:
    """The quest with the shrunk failure added."""
    return replace(
        quest,
        line=str(failure.problem),
        apart=list(apart(failure.problem)),
        tries=failure.tries,
        before=failure.history,
        flaky=failure.flaky,
        breaks=_broken_by(method, failure, runner),
    )


def _broken_by(method: Method, failure: Failure, runner: Runner) -> list[str]:
    """The laws that break on the shrunk line, each in a fresh process, after the lines that have to run before it."""
    lines = [Problem.parse(line) for line in failure.history] + [failure.problem]
    with hurried(runner):
        return [law.name for law, outcome in repeated(method, laws(), lines, runner) if outcome.verdict.bad]


@contextmanager
def hurried(runner: Runner) -> Iterator[None]:
    """Shorten the time limit of each call: a hang costs the limit once for every law that is judged."""
    limit, runner.time_limit = runner.time_limit, min(runner.time_limit, HURRY)
    try:
        yield
    finally:
        runner.time_limit = limit
