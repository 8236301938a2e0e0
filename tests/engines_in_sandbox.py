"""An engine's row on one problem, through a real child, and what its contract says of the answer."""

from __future__ import annotations

import numpy as np

from convlaws.compare import Claim, Mismatch, judge
from convlaws.contracts import contract, interval
from convlaws.engines.host import target_of
from convlaws.methods.registry import Method, rows
from convlaws.oracle import answer
from convlaws.problem import Problem
from convlaws.request import Reply, Request
from convlaws.sandbox.client import Sandbox


def rows_of(package: str) -> list[Method]:
    """The rows of a package that is installed."""
    return [row for row in rows("engine") if row.package and row.package.name == package]


def reply(box: Sandbox, row: Method, problem: Problem) -> Reply:
    """What the row's child replies."""
    request = Request(spec=problem.spec, op=problem.op, dtype=problem.dtype, operands=problem.operands, layout=problem.layout)
    return box.call(target_of(row), request)


def mismatch(row: Method, problem: Problem, output: np.ndarray, name: str = "") -> Mismatch | None:
    """Where `output` breaks the row's contract, or the one of that name."""
    found = answer(problem.spec, problem.op, problem.operands)
    allowed = interval(found, contract(name or row.contract(problem.spec, problem.op, problem.dtype)), problem.format)
    return judge(Claim.of_answer(output, found, allowed))
