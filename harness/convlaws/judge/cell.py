"""Cell: the tallies of one (method, law, op), and the findings made from them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convlaws.judge.case import Outcome
from convlaws.laws.registry import Law
from convlaws.oracle.contracts import CONTRACTS, TIGHTEST
from convlaws.problem.features import features
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.records.finding import LEAST, Finding, Verdict, counted, too_few
from convlaws.targets.registry import Method

BINS = 24  # of log2: error over slack from 2^-20 to 2^3, number of terms from 1 to 2^23
OWN = 0.25  # share of its examples that must be drawn from its own scope, or one that covers it
TABLES = ("vacuous", "refused", "explained", "avoided", "ran", "holds")  # fields that are copied into a finding unchanged
AT_ONCE = 16  # outcomes whose elements are counted together: it costs as much as for one
KERNELS = 12  # largest number of kernel names that a cell stores
UNSHRUNK = "\n  not shrunk: there was no time left"  # appended to the message of a failure that was not shrunk
EXHAUSTED_AFTER = 5  # refusals without a judged example after which no more is drawn for a cell
_LOWEST = {"ratios": -20, "terms": 0}


def histogram(values: np.ndarray, kind: str) -> np.ndarray:
    """Count by binary order of magnitude: bin 0 holds zeros and all below, the last bin all above."""
    _, exponent = np.frexp(values)  # the exponent of 1 is 1
    bins = np.where(values > 0, np.clip(exponent - _LOWEST[kind], 0, BINS - 1), 0)
    return np.bincount(bins, minlength=BINS)


@dataclass
class Failure:
    """The first problem that showed a failure of one kind, and its outcome.

    `after` and `after_seconds` are the number of cases of its method before it, and their time. `tries` is the number
    of cases run to shrink it. `within` has, for each feature, the values of all problems that failed in this way.
    """

    problem: Problem
    outcome: Outcome
    known: str = ""
    flaky: str = ""
    shrunk: bool = False
    tries: int = 0
    after: int = 0
    after_seconds: float = 0.0
    before: list[str] = field(default_factory=list)  # the lines that ran in the same process before it
    history: list[str] = field(default_factory=list)  # the lines that must run before it
    within: dict[str, list[object]] = field(default_factory=dict)

    def widen(self, problem: Problem) -> None:
        """Add the features of another problem that failed in this way."""
        for name, value in features(problem).items():
            values = self.within.setdefault(name, [])
            if value not in values:
                values.append(value)


@dataclass
class Cell:
    """The tallies of one (method, law, op); `scope` is the intersection of the scopes of all three.

    `each` keeps every failing problem, not only the first of its kind. `explained` and `avoided` count, by the id of
    a known finding, the cases that it explained and the problems that were not run because of it.
    """

    method: Method
    law: Law
    op: str
    scope: Scope
    examples: int = 0
    failed: int = 0
    drawn: int = 0
    asked: int = 0  # a checksum of all drawn problems, in order
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
    ran: dict[str, int] = field(default_factory=dict)  # how often each kernel ran, if the library reports it
    holds: dict[str, list[str]] = field(default_factory=dict)  # by dtype: the contracts that all answers so far have kept
    own: int = 0  # examples of problems drawn from its own scope, or one that covers it
    goal: float = 0  # number of examples at which judging stops in this round
    uncounted: list[Outcome] = field(default_factory=list)  # whose elements are not in the histograms yet
    begun: int = 0  # cases that have begun and have no outcome yet
    idle: int = 0  # consecutive batches that added nothing

    @property
    def job(self) -> str:
        """The purpose of its draws: the law and the op."""
        return f"{self.law.name} ({self.op})"

    @property
    def exhausted(self) -> bool:
        """True after EXHAUSTED_AFTER refusals and no judged example: stop drawing for this cell."""
        return not self.examples and sum(self.refused.values()) >= EXHAUSTED_AFTER

    @property
    def wants(self) -> bool:
        """True if the cell needs another example."""
        return self.lacks > 0 and not self.exhausted

    @property
    def lacks(self) -> float:
        """The number of missing examples; some must be of its own scope, as a narrower method's problems show little of it."""
        return max(self.goal - self.examples, OWN * self.goal - self.own) - self.begun

    def add(self, problem: Problem, outcome: Outcome, known: str = "", *, own: bool = False) -> Failure | None:
        """Count an outcome (`own`: see the field); return the failure if it is the first of its kind (see `each`)."""
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
        """Update the contracts that all answers keep; the others are not tried before the tightest is broken."""
        left = self.holds.setdefault(dtype, list(CONTRACTS))
        if TIGHTEST not in left or not within(TIGHTEST):
            self.holds[dtype] = [name for name in left if name != TIGHTEST and within(name)]

    def avoid(self, region: str) -> None:
        """Count a problem that is not run, as it lies in the region of the known finding `region`."""
        self.avoided[region] = self.avoided.get(region, 0) + 1
        self.pass_over(f"in the region of the known finding {region}")

    def pass_over(self, reason: str) -> None:
        """Count a problem that is not run, for this reason."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def _count(self, outcome: Outcome, own: bool) -> None:
        self.examples += 1
        self.own += own
        if outcome.verdict is Verdict.KEPT:
            self.worst = max(self.worst, outcome.ratio)
            self.uncounted.append(outcome)
            if len(self.uncounted) >= AT_ONCE:
                self._count_elements()

    def _count_elements(self) -> None:
        """Add the elements of the outcomes since the last time to the histograms."""
        if self.uncounted:
            self.error_counts += histogram(np.concatenate([o.ratios for o in self.uncounted]), "ratios")
            self.term_counts += histogram(np.concatenate([o.terms for o in self.uncounted]), "terms")
            self.uncounted.clear()

    def findings(self, least: int = LEAST) -> list[Finding]:
        """Return one finding per kind of failure, else one that is kept, refused or vacuous (under `least` examples)."""
        if self.failures:
            return [self._bad(f) for f in self.failures.values()]
        if not self.examples and self.refused and not self.vacuous:
            return [self._record(Verdict.REFUSED, max(self.refused, key=lambda k: self.refused[k]))]
        if self.examples < least:
            return [self._record(Verdict.VACUOUS, too_few(self.examples, self.vacuous, least))]
        return [self._record(Verdict.KEPT, "" if self.examples >= LEAST else f"on {counted(self.examples, 'example')} only")]

    def _record(self, verdict: Verdict, message: str) -> Finding:
        self._count_elements()
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
    """Return the finding of a cell that admits no problem."""
    return Finding(
        method=method.name, law=law.name, op=op, verdict=Verdict.REFUSED, message=reason, says=law.says, family=law.family
    )
