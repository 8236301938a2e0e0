"""Judge single cases again: one line, or several in one process; return the finding of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from convlaws.judge.case import Oracle, Outcome, examine, holds_under, unable
from convlaws.known import Ledger
from convlaws.laws.registry import Law
from convlaws.problem.problem import Problem
from convlaws.records.finding import Finding, Verdict
from convlaws.sandbox.runner import Runner
from convlaws.targets.registry import Method, rows

FRESH = 3  # number of fresh processes in which a failing line is run again


def k_of_n(shows: Callable[[], bool], times: int = FRESH) -> int:
    """Return in how many of `times` runs `shows` is True; each run starts in a fresh process (see `repeated`)."""
    return sum(shows() for _ in range(times))


class Judge:
    """Runs single cases with one oracle and one runner."""

    def __init__(self, runner: Runner):
        self.runner, self.oracle, self.count = runner, Oracle(), 0
        self.peers = tuple(m.name for m in rows() if "peer" in m.can)

    def __call__(self, method: Method, law: Law, problem: Problem) -> Outcome:
        self.count += 1
        return examine(method, law, problem, self.runner, self.oracle, self.peers)

    def explained(self, ledger: Ledger, method: Method, law: Law, problem: Problem, outcome: Outcome) -> str:
        """Return the id of the known finding that explains a failure, or ''."""
        holds = holds_under(method, law, problem, self.runner, self.oracle, self.peers)
        return ledger.explains(method, law.name, problem, holds, outcome.signature)


def repeated(method: Method, laws: Iterable[Law], problems: list[Problem], runner: Runner) -> list[tuple[Law, Outcome]]:
    """Run all problems in order, in a fresh process per law; return each law with the outcome of the last problem."""
    *before, last = problems
    found = []
    for law in laws:
        if law.scope.refuses(last) or unable(method, law):
            continue
        runner.refresh()
        judge = Judge(runner)
        for problem in before:
            judge(method, law, problem)
        found.append((law, judge(method, law, last)))
    return found


def why_not(method: Method, law: Law, problem: Problem) -> str | None:
    """Return why a law is not run for a method on a problem, or None if it is."""
    return unable(method, law) or law.scope.refuses(problem) or method.scope.refuses(problem)


def finding_of(method: Method, law: Law, problem: Problem, outcome: Outcome, history: Iterable[Problem] = ()) -> Finding:
    """Return the finding of a single case."""
    return Finding(
        method=method.name,
        law=law.name,
        op=problem.op,
        verdict=outcome.verdict,
        problem=str(problem),
        message=outcome.message,
        says=law.says,
        family=law.family,
        specific=law.specific,
        examples=int(outcome.verdict not in (Verdict.REFUSED, Verdict.VACUOUS)),
        seconds=outcome.seconds,
        worst_ratio=outcome.ratio,
        contract=method.contract(problem.spec, problem.op, problem.dtype),
        dtype=problem.dtype,
        signature=outcome.signature,
        history=[str(p) for p in history],
        evidence=outcome.evidence,
        ran={outcome.ran: 1} if outcome.ran else {},
    )
