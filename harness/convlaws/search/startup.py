"""Start the process of each engine before a search, so that one that cannot be imported fails once and not law by law."""

from __future__ import annotations

from collections.abc import Iterable

from convlaws.judge.cell import Cell, refused_cell
from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending, Reply, Request
from convlaws.problem.spec import ConvSpec
from convlaws.records.finding import Finding, Verdict
from convlaws.sandbox.runner import Runner
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import Method, target_of

IMPORTS = ("ImportError", "ModuleNotFoundError")  # of an adapter that imports its library when it is called


def import_failures(methods: Iterable[Method], runner: Runner) -> dict[str, str]:
    """Method name to import error, for the methods whose library cannot be loaded."""
    replies: dict[ProcessSpec | str, Reply] = {}  # a process that methods share is started once: importing is not judging
    lost = {}
    for method in methods:
        if method.absent:
            continue
        key = method.home if method.home.shared else method.name
        if key not in replies:
            replies[key] = runner.call(target_of(method), _smallest(method))
        if _is_lost(method, replies[key]):
            lost[method.name] = replies[key].message
    return lost


def _is_lost(method: Method, reply: Reply) -> bool:
    """True if the reply means that the method cannot be loaded; in a shared process that it cannot be started at all."""
    if method.home.shared:
        return reply.ending is Ending.NOT_LOADED and reply.signature == "home"
    return reply.ending is Ending.NOT_LOADED or reply.signature in IMPORTS


def _smallest(method: Method) -> Request:
    scope = method.scope
    ones = (1,) * scope.ndim[0]
    spec = ConvSpec(extent=ones, kernel=ones, transposed=scope.transposed[0])
    problem = Problem(spec=spec, op=scope.ops[0], dtype=scope.dtypes[0])
    return Request(spec=spec, op=problem.op, dtype=problem.dtype, operands=problem.operands)


def opened(jobs: list[list[Cell]], methods: Iterable[Method], runner: Runner) -> tuple[list[list[Cell]], list[Finding]]:
    """The jobs without the methods that cannot be opened, which fail once and are left alone; and the findings that say so."""
    lost, found = import_failures(methods, runner), []
    for name, reason in lost.items():
        mine = [cell for job in jobs for cell in job if cell.method.name == name]
        found += lost_cells(mine, reason) if mine else []
    return [kept for job in jobs if (kept := [c for c in job if c.method.name not in lost])], found


def lost_cells(cells: list[Cell], reason: str) -> list[Finding]:
    """The findings of a method that cannot be opened: it crashed once, and nothing else was asked."""
    first, *others = cells
    crashed = Finding(
        method=first.method.name,
        law=first.law.name,
        op=first.op,
        verdict=Verdict.CRASHED,
        message=reason,
        says=first.law.says,
        signature="lost",
    )
    return [crashed, *(refused_cell(c.method, c.law, c.op, f"it cannot be opened: {reason}") for c in others)]
