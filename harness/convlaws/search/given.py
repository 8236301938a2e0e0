"""Problems that are given, not drawn: files of lines, known findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from convlaws.judge.cell import Cell
from convlaws.judge.replay import Judge
from convlaws.known import Ledger
from convlaws.problem.problem import Problem
from convlaws.records.finding import CellId, Finding
from convlaws.sandbox.interrupt import Interrupted, deferred_sigint
from convlaws.sandbox.runner import Runner
from convlaws.search.plan import Plan


def given(
    plan: Plan, problems: Iterable[Problem], runner: Runner, ledger: Ledger, notify: Callable[[dict], None]
) -> list[Finding]:
    """Judge exactly these problems: each by every method and every law that is about it."""
    judge = Judge(runner)
    cells: dict[CellId, Cell] = {}
    with deferred_sigint() as interrupt:
        try:
            for problem in problems:
                if interrupt.requested:
                    raise Interrupted
                if plan.scope.refuses(problem) is None:
                    _judge_given(plan, problem, judge, cells, ledger, notify)
        except Interrupted:
            notify({"interrupted": True})
    return [f for cell in cells.values() for f in cell.findings(least=1)]


def _judge_given(plan: Plan, problem: Problem, judge: Judge, cells: dict, ledger: Ledger, notify: Callable[[dict], None]) -> None:
    for law in (w for w in plan.laws if w.scope.refuses(problem) is None):
        for method in plan.methods:
            key = CellId(method.name, law.name, problem.op)
            cell = cells.setdefault(key, Cell(method, law, problem.op, method.scope, each=True))
            outcome = judge(method, law, problem)
            known = judge.explained(ledger, method, law, problem, outcome) if outcome.verdict.bad else ""
            if failure := cell.add(problem, outcome, known):
                failure.shrunk = True  # a given line is the line to show
            notify({"judged": judge.count, "findings": cell.findings(least=1)})
