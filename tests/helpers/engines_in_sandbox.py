"""Run an engine's row on a problem in a real child, and hold the answer to the row's contract."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from convlaws.judge.replay import Judge
from convlaws.known import load
from convlaws.laws.registry import find as find_laws
from convlaws.oracle.claim import Claim, Mismatch, judge
from convlaws.oracle.contracts import contract, interval
from convlaws.oracle.oracle import answer
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.problem.request import Ending, Reply, Request
from convlaws.records.finding import Verdict
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.registry import Method, rows, target_of


def rows_of(package: str) -> list[Method]:
    """Return the rows of an installed package."""
    return [row for row in rows("engine") if row.package and row.package.name == package]


def reply(box: Sandbox, row: Method, problem: Problem) -> Reply:
    """Return the reply of the row's child."""
    request = Request(spec=problem.spec, op=problem.op, dtype=problem.dtype, operands=problem.operands, layout=problem.layout)
    return box.call(target_of(row), request)


def mismatch(row: Method, problem: Problem, output: np.ndarray, name: str = "") -> Mismatch | None:
    """Return where `output` breaks the row's contract, or the contract `name`; None if it does not."""
    found = answer(problem.spec, problem.op, problem.operands)
    allowed = interval(found, contract(name or row.contract(problem.spec, problem.op, problem.dtype)), problem.format)
    return judge(Claim.of_answer(output, found, allowed))


def failure(row: Method, problem: Problem, found: Reply, name: str = "") -> str:
    """Return what is wrong with a reply, in words; '' if nothing is."""
    if found.ending is not Ending.ANSWERED:
        return f"{found.ending}: {found.message}"
    if found.output.shape != (expected := shape_of(problem.spec, RESULT[problem.op])):
        return f"the shape is {found.output.shape}, it should be {expected}"
    return str(mismatch(row, problem, found.output, name) or "")


def failures(row: Method, problems: Iterable[Problem]) -> dict[str, str]:
    """Return {problem line: what is wrong} for the problems that fail, run in a new sandbox."""
    with Sandbox() as box:
        found = {str(p): failure(row, p, reply(box, row, p)) for p in problems}
    return {line: said for line, said in found.items() if said}


def unsettled(box: Sandbox, row: Method, problems: Iterable[Problem]) -> dict[str, str]:
    """Return the problems whose outcome is not a verdict, or is a failure that has no message and is not a known finding.

    Other failures of a released engine, known or new, are accepted here.
    """
    law, judge, ledger, wrong = find_laws(["equals-the-definition"])[0], Judge(box), load(), {}
    for problem in problems:
        outcome = judge(row, law, problem)
        on_record = judge.explained(ledger, row, law, problem, outcome) if outcome.verdict.bad else ""
        if outcome.verdict not in set(Verdict) or (outcome.verdict.bad and not (on_record or outcome.message)):
            wrong[str(problem)] = f"{outcome.verdict} {outcome.message}"
    return wrong
