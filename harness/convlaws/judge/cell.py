"""Cell: what is known so far of one (method, law, op), and the findings it becomes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from convlaws.judge.case import Outcome
from convlaws.laws.registry import Law
from convlaws.oracle.contracts import CONTRACTS, TIGHTEST
from convlaws.problem.features import features
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.records.finding import LEAST, Finding, Verdict, counted, too_few
from convlaws.strategies.hints import Hint
from convlaws.strategies.mixture import hints
from convlaws.targets.registry import Method

BINS = 24  # of log2: error over slack from 2^-20 to 2^3, number of terms from 1 to 2^23
OWN = 0.25  # of its examples that must be drawn from its own scope; drawing costs as much as judging a few
TABLES = ("vacuous", "refused", "explained", "avoided", "ran", "holds")  # that go into a finding as they are
KERNELS = 12  # names of kernels that a cell remembers
UNSHRUNK = "\n  not shrunk: there was no time left"  # ends the message of a failure as it was drawn
EXHAUSTED_AFTER = 5  # refusals, without an example, after which a cell is left alone
_LOWEST = {"ratios": -20, "terms": 0}


def histogram(values: np.ndarray, kind: str) -> np.ndarray:
    """Counts by binary order of magnitude: bin 0 holds zeros and all below, the last all above."""
    _, exponent = np.frexp(values)  # of 1 it is 1
    bins = np.where(values > 0, np.clip(exponent - _LOWEST[kind], 0, BINS - 1), 0)
    return np.bincount(bins, minlength=BINS)


@dataclass(frozen=True)
class Origin:
    """Where a problem was drawn: the same scope, seed, count and place (in the lists of wishes) draw it again."""

    scope: Scope
    seed: int
    count: int
    place: float

    def hints(self) -> list[Hint]:
        """What some of the draws are asked for."""
        return hints(self.scope, self.place, self.count, Random(self.seed))


@dataclass
class Failure:
    """The first problem that showed a failure of one kind, and how it looks.

    `after` and `after_seconds` say when it came: after how many cases of its method, and how long these took. `tries` counts
    the cases run to make it small. `within` has by each feature the values of all problems that failed so.
    """

    problem: Problem
    outcome: Outcome
    known: str = ""
    flaky: str = ""
    shrunk: bool = False
    tries: int = 0
    after: int = 0
    after_seconds: float = 0.0
    before: list[str] = field(default_factory=list)  # what ran in the same process before it
    history: list[str] = field(default_factory=list)  # what has to run before it
    within: dict[str, list[object]] = field(default_factory=dict)

    def widen(self, problem: Problem) -> None:
        """Note the features of one more problem that failed so."""
        for name, value in features(problem).items():
            values = self.within.setdefault(name, [])
            if value not in values:
                values.append(value)


@dataclass
class Cell:
    """One (method, law, op) and its tallies; `scope` is where all three meet.

    `each` keeps every failing problem, and not only the first of its kind. `explained` and `avoided` count, by
    the id of a known finding, the cases that it explained and the problems that it kept from being asked.
    """

    method: Method
    law: Law
    op: str
    scope: Scope
    examples: int = 0
    failed: int = 0
    drawn: int = 0
    asked: int = 0  # a checksum of all that was drawn, in order
    seconds: float = 0.0
    worst: float = 0.0
    last: str = ""
    vacuous: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    explained: dict[str, int] = field(default_factory=dict)
    avoided: dict[str, int] = field(default_factory=dict)
    failures: dict[tuple[str, ...], Failure] = field(default_factory=dict)
    each: bool = False
    error_counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS, int))
    term_counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS, int))
    ran: dict[str, int] = field(default_factory=dict)  # how often each kernel ran, where the library tells
    holds: dict[str, list[str]] = field(default_factory=dict)  # by dtype: the contracts that all answers kept so far
    own: int = 0  # examples of problems that were drawn from its own scope
    goal: float = 0  # examples after which it judges no more in this round
    idle: int = 0  # batches in a row that added nothing

    @property
    def job(self) -> str:
        """What its draws are for."""
        return f"{self.law.name} ({self.op})"

    @property
    def exhausted(self) -> bool:
        """Whether it was refused so often, and judged never, that more draws would tell nothing."""
        return not self.examples and sum(self.refused.values()) >= EXHAUSTED_AFTER

    @property
    def wants(self) -> bool:
        """Whether another example would serve it."""
        return self.lacks > 0 and not self.exhausted

    @property
    def lacks(self) -> float:
        """How many more it needs; some of its own scope, as what a narrower method can do shows little of it."""
        return max(self.goal - self.examples, OWN * self.goal - self.own)

    def add(self, problem: Problem, outcome: Outcome, known: str = "", *, own: bool = False) -> Failure | None:
        """Count an outcome (`own`: drawn for it); returns a failure that is a first of its kind (see `each`)."""
        self.drawn += 1
        self.seconds += outcome.seconds
        self.last = str(problem)
        if outcome.ran and (outcome.ran in self.ran or len(self.ran) < KERNELS):
            self.ran[outcome.ran] = self.ran.get(outcome.ran, 0) + 1
        self.asked = zlib.crc32(self.last.encode(), self.asked)
        self.failed += outcome.verdict.bad
        if known:
            self.explained[known] = self.explained.get(known, 0) + 1
        if outcome.verdict is Verdict.REFUSED:
            self.refused[outcome.message] = self.refused.get(outcome.message, 0) + 1
        elif outcome.verdict is Verdict.VACUOUS:
            self.vacuous[outcome.message] = self.vacuous.get(outcome.message, 0) + 1
        else:
            self._count(outcome, own)
        key = (outcome.signature, known, *([self.last] if self.each else []))
        if not outcome.verdict.bad:
            return None
        first = key not in self.failures
        failure = self.failures.setdefault(key, Failure(problem, outcome, known))
        failure.widen(problem)
        return failure if first else None

    def hold(self, dtype: str, within: Callable[[str], bool]) -> None:
        """Note which contracts an answer keeps; the others are not asked before the tightest is broken."""
        left = self.holds.setdefault(dtype, list(CONTRACTS))
        if TIGHTEST not in left or not within(TIGHTEST):
            self.holds[dtype] = [name for name in left if name != TIGHTEST and within(name)]

    def avoid(self, region: str) -> None:
        """Count a problem that is not asked, as it lies in the region of the known finding `region`."""
        self.avoided[region] = self.avoided.get(region, 0) + 1
        reason = f"in the region of the known finding {region}"
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def _count(self, outcome: Outcome, own: bool) -> None:
        self.examples += 1
        self.own += own
        if outcome.verdict is Verdict.KEPT:
            self.worst = max(self.worst, outcome.ratio)
            self.error_counts += histogram(outcome.ratios, "ratios")
            self.term_counts += histogram(outcome.terms, "terms")

    def findings(self, least: int = LEAST) -> list[Finding]:
        """One for each kind of failure; else one that says kept, refused or vacuous (under `least` examples)."""
        if self.failures:
            return [self._bad(f) for f in self.failures.values()]
        if not self.examples and self.refused and not self.vacuous:
            return [self._record(Verdict.REFUSED, max(self.refused, key=lambda k: self.refused[k]))]
        if self.examples < least:
            return [self._record(Verdict.VACUOUS, too_few(self.examples, self.vacuous, least))]
        return [self._record(Verdict.KEPT, "" if self.examples >= LEAST else f"on {counted(self.examples, 'example')} only")]

    def _record(self, verdict: Verdict, message: str) -> Finding:
        tables: dict[str, Any] = {name: dict(getattr(self, name)) for name in TABLES}
        return Finding(
            method=self.method.name,
            law=self.law.name,
            op=self.op,
            verdict=verdict,
            problem=self.last,
            message=message,
            says=self.law.says,
            family=self.law.family,
            specific=self.law.specific,
            examples=self.examples,
            seconds=round(self.seconds, 4),
            worst_ratio=self.worst,
            failed=self.failed,
            drawn=self.drawn,
            asked=f"{self.asked:08x}",
            error_histogram=self.error_counts.tolist(),
            terms_histogram=self.term_counts.tolist(),
            **tables,
        )

    def _bad(self, failure: Failure) -> Finding:
        found = self._record(failure.outcome.verdict, failure.outcome.message)
        problem, ratio = failure.problem, failure.outcome.ratio
        found.problem, found.dtype = str(problem), problem.dtype
        found.contract = self.method.contract(problem.spec, problem.op, problem.dtype)
        found.worst_ratio = ratio if np.isfinite(ratio) else 0.0
        found.signature, found.known, found.flaky = failure.outcome.signature, failure.known, failure.flaky
        found.history, found.evidence = failure.history, failure.outcome.evidence
        found.within = failure.within
        found.after, found.after_seconds, found.tries = failure.after, round(failure.after_seconds, 4), failure.tries
        found.ran = {failure.outcome.ran: 1} if failure.outcome.ran else {}
        if not failure.shrunk:
            found.message += UNSHRUNK
        return found


def refused_cell(method: Method, law: Law, op: str, reason: str) -> Finding:
    """The finding of a cell that has no problem at all."""
    return Finding(
        method=method.name, law=law.name, op=op, verdict=Verdict.REFUSED, message=reason, says=law.says, family=law.family
    )
