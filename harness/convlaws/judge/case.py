"""Run one case, (method, law, problem) -> Outcome: the only module that does.

pytest, the command line and a cluster all use it, so that "kept" means the same for all of them.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from convlaws.errors import HarnessError, UsageError
from convlaws.laws.registry import Law
from convlaws.oracle.claim import Approx, Claim, Mismatch, evidence_of, judge, ratios, shape_error
from convlaws.oracle.contracts import CONTRACTS, Interval, interval
from convlaws.oracle.oracle import Answer, answer, floats
from convlaws.problem.formats import FORMATS
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.problem.request import BILINEAR, SECOND, Ending, Reply, Request, RequestedCall
from convlaws.problem.scope import DEARER, ability
from convlaws.problem.spec import ConvSpec
from convlaws.records.finding import Verdict
from convlaws.sandbox.runner import Runner, uncached
from convlaws.targets.registry import Method, get, target_of

Operands = Mapping[str, np.ndarray]
BESIDE = 30_000_000  # multiply-adds that any law's own calls may need: the oracle then lays out 0.7 GB
_SECOND_SHAPE = dict(zip(SECOND, ("x", "w", "y"), strict=True))
ENDED = {  # the verdict for each ending other than an answer
    Ending.RAISED: Verdict.CRASHED,
    Ending.DIED: Verdict.CRASHED,
    Ending.OVER_LIMIT: Verdict.CRASHED,
    Ending.HUNG: Verdict.HUNG,
    Ending.REFUSED: Verdict.REFUSED,
}


@dataclass(frozen=True, eq=False)
class Outcome:
    """The outcome of one case. `ratios` and `terms` are those of the judged elements."""

    verdict: Verdict
    message: str = ""
    signature: str = ""
    ratio: float = 0.0
    ratios: np.ndarray = field(default_factory=lambda: np.zeros(0))
    terms: np.ndarray = field(default_factory=lambda: np.zeros(0))
    evidence: dict = field(default_factory=dict)
    ran: str = ""  # the kernel that ran last, if the library reports it
    seconds: float = 0.0


class _EndedError(Exception):
    """Raised if a call returns no array of the right form; carries the outcome."""

    def __init__(self, outcome: Outcome):
        super().__init__(outcome.message)
        self.outcome = outcome


class Oracle:
    """Cache of answers and intervals, computed once per problem and shared by all methods and laws."""

    def __init__(self, size: int = 256):
        self._size = size
        self._answers: dict[tuple, Answer] = {}
        self._intervals: dict[tuple, Interval] = {}

    def __call__(self, spec: ConvSpec, op: str, operands: Operands, contract: str) -> tuple[Answer, Interval]:
        """Return the answer by the definition, and the interval that `contract` allows for it."""
        key = (spec, op, *((role, a.dtype.num, a.tobytes()) for role, a in operands.items()))
        if key not in self._answers:
            self._forget()
            self._answers[key] = _closed_form(spec, op, operands) if op in SECOND else answer(spec, op, operands)
        found = self._answers[key]
        if (key, contract) not in self._intervals:
            fmt = FORMATS[next(iter(operands.values())).dtype.name]
            self._intervals[key, contract] = interval(found, CONTRACTS[contract], fmt, certify=op != "second_gy")
        return found, self._intervals[key, contract]

    def _forget(self) -> None:
        if len(self._answers) >= self._size:
            self._answers.clear()
            self._intervals.clear()


def _closed_form(spec: ConvSpec, op: str, a: Operands) -> Answer:
    """Return a derivative of <dgrad(gy, w), v> + <wgrad(x, gy), u>."""
    plain = replace(spec, bias=False)
    one, *more = (answer(plain, first, {role: a[name] for role, name in given.items()}) for first, given in BILINEAR[op])
    for two in more:
        one = replace(one, R=one.R + two.R, S=one.S + two.S, n=one.n + two.n)
    return one


class Asking:
    """The `Ask` passed to a law: one method, one problem, one runner."""

    def __init__(self, method: Method, problem: Problem, runner: Runner, oracle: Oracle, peers: tuple[str, ...] = ()):
        self.method, self.problem, self.runner, self.oracle = method, problem, runner, oracle
        self.note, self.ran = False, ""
        self.idle = 0.0  # seconds in which it waited for other cases
        self.peers = tuple(name for name in peers if name != method.name)

    @property
    def spreads(self) -> bool:
        """True if an Inf or NaN may reach results outside of its receptive field."""
        return CONTRACTS[self._contract(self.problem.spec, self.problem.op)].spreads

    def _contract(self, spec: ConvSpec, op: str) -> str:
        return self.method.contract(spec, op, self.problem.dtype)

    def __call__(self, spec: ConvSpec, op: str, operands: Operands, **how: Any) -> Approx:
        found = _approx(self.reply(spec, op, operands, **how), *self.definition(spec, op, operands))
        places = np.arange(found.value.size).reshape(found.value.shape)
        return replace(found, call=RequestedCall(spec, op, operands, {"layout": self.problem.layout, **how}), places=places)

    def definition(self, spec: ConvSpec, op: str, operands: Operands) -> tuple[Answer, Interval]:
        return self.oracle(spec, op, operands, self._contract(spec, op))

    def reply(self, spec: ConvSpec, op: str, operands: Operands, **how: Any) -> Reply:
        if reason := self._beyond(spec, op):
            raise _EndedError(Outcome(Verdict.REFUSED, f"the law asks for a convolution beside this one: {reason}"))
        request = self._request(spec, op, operands, **how)
        reply = self._answer(self.method, request)
        self.ran = reply.ran or self.ran
        if reply.ending is Ending.NOT_LOADED:
            said = reply.message.partition("\n")[0].removeprefix("UsageError: ")  # the lines after it are a traceback of our code
            name = self.method.name
            raise UsageError(said if said.startswith(name) else f"{name}: {said}")
        if reply.ending is not Ending.ANSWERED:
            raise _EndedError(Outcome(ENDED[reply.ending], reply.message, reply.signature))
        result = _SECOND_SHAPE.get(op) or RESULT[op]
        if wrong := shape_error(reply.output, shape_of(spec, result), request.dtype):
            kind, sentence = wrong
            raise _EndedError(Outcome(Verdict.BROKEN, sentence, kind))
        return reply

    def _answer(self, method: Method, request: Request) -> Reply:
        """Return a reply; the time that other cases take meanwhile is not this one's."""
        began = time.perf_counter()
        reply = self.runner.call(target_of(method), request)
        waited = time.perf_counter() - began
        self.idle += max(0.0, waited - reply.seconds)
        return reply

    def _beyond(self, spec: ConvSpec, op: str) -> str | None:
        """Return why the method cannot do a convolution that a law asks for beside the problem, or None."""
        op = self.problem.op if op in SECOND else op
        if spec is self.problem.spec and op == self.problem.op:
            return None
        if spec.macs > (most := max(BESIDE, DEARER * self.problem.spec.macs)):
            return f"{spec.macs:,} multiply-adds are over the limit of {most:,}"
        return ability(self.method.scope, "mirrors" in self.method.can).refuses(replace(self.problem, spec=spec, op=op))

    def _request(self, spec: ConvSpec, op: str, operands: Operands, **how: Any) -> Request:
        layout = how.pop("layout", self.problem.layout)
        dtype = next(iter(operands.values())).dtype.name
        how = {"threads": self.method.threads, **how}
        return Request(spec=spec, op=op, dtype=dtype, operands=operands, layout=layout, note=self.note, **how)

    def peer(self, name: str, spec: ConvSpec, op: str, operands: Operands) -> Approx | None:
        other = get(name)
        if other.scope.refuses(replace(self.problem, spec=spec, op=op, layout="contiguous")):
            return None
        reply = self._answer(other, self._request(spec, op, operands, layout="contiguous"))
        if reply.ending is not Ending.ANSWERED:
            return None
        contract = other.contract(spec, op, self.problem.dtype)
        return _approx(reply, *self.oracle(spec, op, operands, contract)).called(name)


def _approx(reply: Reply, found: Answer, allowed: Interval) -> Approx:
    R = floats(found.R)
    with np.errstate(invalid="ignore", over="ignore"):
        bound = np.maximum(allowed.high - R, R - allowed.low)
        # R itself is rounded, and so are these differences
        bound = np.where(bound > 0, bound + found.n * found.unit * found.S + 2.0**-51 * np.abs(R), bound)
    if allowed.free is not None:
        bound = np.where(allowed.free, np.inf, bound)
    return Approx(reply.output.astype(R.dtype), bound)


def examine(
    method: Method, law: Law, problem: Problem, runner: Runner, oracle: Oracle, peers: tuple[str, ...] = (), *, fits: bool = False
) -> Outcome:
    """Run one case; never raises for what the method does. `fits`: it is known to be within the scopes of both."""
    started = time.perf_counter()
    reason = None if fits else refusal(method, law, problem)
    if reason:
        return Outcome(Verdict.REFUSED, reason)
    asking = Asking(method, problem, uncached(runner) if law.fresh else runner, oracle, peers)
    asking.note = runner is uncached(runner)  # a single case, not one of thousands in a search
    try:
        found = law.claims(problem, asking)
        outcome = _judged(found if isinstance(found, list) else [found])
    except _EndedError as ended:
        outcome = ended.outcome
    except HarnessError:
        raise
    except Exception as error:
        outcome = _own_failure(error)
    return replace(outcome, ran=asking.ran, seconds=time.perf_counter() - started - asking.idle)


def holds_under(
    method: Method, law: Law, problem: Problem, runner: Runner, oracle: Oracle, peers: tuple[str, ...] = ()
) -> Callable[[str], bool]:
    """Return a predicate: the case does not fail if the method is held to this contract."""
    return lambda name: not examine(method.declares(name), law, problem, runner, oracle, peers).verdict.bad


def _own_failure(error: Exception) -> Outcome:
    """Return an outcome that reports an error of convlaws itself as a failure, so that the run continues."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    message = f"convlaws itself failed, not the method: {type(error).__name__}: {error} ({where.name}, line {where.lineno})"
    return Outcome(Verdict.CRASHED, message, f"convlaws:{type(error).__name__}")


def refusal(method: Method, law: Law, problem: Problem) -> str | None:
    """Return why this law is not run for this method on this problem, in words; None if it is."""
    return unable(method, law) or method.scope.refuses(problem) or law.scope.refuses(problem)


def unable(method: Method, law: Law) -> str | None:
    """Return why this law is never run for this method, in words; None if it can be."""
    if law.needs and law.needs not in method.can:
        return NEEDS[law.needs]
    return UNLESS[law.unless] if law.unless in method.can else None


NEEDS = {
    "second": "it offers no double backward",
    "threads": "it takes no number of threads",
}
UNLESS = {"varies": "it does not promise the same bits twice"}


def _judged(claims: list[Claim]) -> Outcome:
    for claim in claims:
        if mismatch := judge(claim):
            return _broken(mismatch)
    reasons = [claim.vacuous() for claim in claims]
    if all(reasons):
        return Outcome(Verdict.VACUOUS, (reasons or ["the law claims nothing here"])[0] or "")
    found = np.concatenate([ratios(c) for c in claims])
    terms = [np.ravel(c.n) for c in claims if c.n is not None]
    worst = float(found.max(initial=0.0))
    return Outcome(Verdict.KEPT, ratio=worst, ratios=found, terms=np.concatenate(terms or [np.zeros(0)]))


def _broken(mismatch: Mismatch) -> Outcome:
    found = ratios(mismatch.claim)
    worst = float(found.max(initial=0.0))
    return Outcome(Verdict.BROKEN, str(mismatch), mismatch.kind, worst, found, evidence=evidence_of(mismatch))
