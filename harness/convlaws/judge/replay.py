"""Problems that are given, not drawn: files of lines, known findings, one line to repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from convlaws.judge.case import Oracle, Outcome, examine, holds_under, unable
from convlaws.judge.cell import Cell
from convlaws.known import Ledger
from convlaws.laws.registry import Law
from convlaws.problem.problem import Problem
from convlaws.records.finding import Finding, Verdict
from convlaws.sandbox.interrupt import Interrupted, deferred
from convlaws.sandbox.runner import Runner
from convlaws.search.plan import Plan
from convlaws.targets.registry import Method, rows


def given(
    plan: Plan, problems: Iterable[Problem], runner: Runner, ledger: Ledger, notify: Callable[[dict], None]
) -> list[Finding]:
    """Judge exactly these problems: each by every method and every law that is about it."""
    judge = Judge(runner)
    cells: dict[tuple[str, str, str], Cell] = {}
    with deferred() as interrupt:
        try:
            for problem in problems:
                if interrupt.pressed:
                    raise Interrupted
                if plan.scope.refuses(problem) is None:
                    _judge_given(plan, problem, judge, cells, ledger, notify)
        except Interrupted:
            notify({"interrupted": True})
    return [f for cell in cells.values() for f in cell.findings(least=1)]


def _judge_given(plan: Plan, problem: Problem, judge: Judge, cells: dict, ledger: Ledger, notify: Callable[[dict], None]) -> None:
    for law in (w for w in plan.laws if w.scope.refuses(problem) is None):
        for method in plan.methods:
            key = (method.name, law.name, problem.op)
            cell = cells.setdefault(key, Cell(method, law, problem.op, method.scope, each=True))
            outcome = judge(method, law, problem)
            known = judge.explained(ledger, method, law, problem, outcome) if outcome.verdict.bad else ""
            if failure := cell.add(problem, outcome, known):
                failure.shrunk = True  # a given line is the line to show
            notify({"judged": judge.count, "findings": cell.findings(least=1)})


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
