"""Single cases: one line, or several in one process, judged again; the finding of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from convlaws.judge.case import Oracle, Outcome, examine, holds_under, unable
from convlaws.known import Ledger
from convlaws.laws.registry import Law
from convlaws.problem.problem import Problem
from convlaws.records.finding import Finding, Verdict
from convlaws.sandbox.runner import Runner
from convlaws.targets.registry import Method, rows

FRESH = 3  # fresh processes in which a failing line is run again


def k_of_n(shows: Callable[[], bool], times: int = FRESH) -> int:
    """In how many of so many runs it shows; each begins in a fresh process (see `repeated`)."""
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
        """The id of the known finding that explains a failure, or ''."""
        holds = holds_under(method, law, problem, self.runner, self.oracle, self.peers)
        return ledger.explains(method, law.name, problem, holds, outcome.signature)


def repeated(method: Method, laws: Iterable[Law], problems: list[Problem], runner: Runner) -> list[tuple[Law, Outcome]]:
    """Run all problems in order in one fresh process, each under each law; the outcomes of the last."""
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
    """Why a law is not put to a method on a problem."""
    return unable(method, law) or law.scope.refuses(problem) or method.scope.refuses(problem)


def finding_of(method: Method, law: Law, problem: Problem, outcome: Outcome, history: Iterable[Problem] = ()) -> Finding:
    """The finding of a single case."""
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
