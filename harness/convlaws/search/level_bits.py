"""One row at several ISA levels, bit by bit: on the same problems, do two levels give the same bits?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending, Request
from convlaws.problem.scope import Scope
from convlaws.records.at_level import AtLevel
from convlaws.records.finding import name_parts
from convlaws.sandbox.runner import Runner
from convlaws.search.drawing import possible
from convlaws.strategies.blocks import chance
from convlaws.targets import isa
from convlaws.targets.registry import Method, target_of

PROBLEMS = 60  # asked of each level; as many draws as this at most


def levels(
    methods: Iterable[Method], scope: Scope, runner: Runner, seed: int, stop: Callable[[], bool] = lambda: False
) -> list[AtLevel]:
    """Each row that runs here at more than one level, at each; the last level in order is the one compared with."""
    rows: dict[str, list[Method]] = {}
    for method in methods:
        if not method.absent:
            rows.setdefault("@".join(name_parts(method.name)[:2]), []).append(method)
    found = []
    for alike in (group for group in rows.values() if any(m.level for m in group)):
        order = list(isa.LEVELS)
        alike.sort(key=lambda m: order.index(m.level or isa.DEFAULT.name))
        top = max(alike, key=lambda m: (not isa.level(m.level or isa.DEFAULT.name).threads, order.index(m.level or "default")))
        told = {m.name: _level(m, top) for m in alike}
        for problem in _problems(top.scope.meet(scope), seed) if len(alike) > 1 else ():
            if stop():
                break
            _compare(problem, alike, top, told, runner)
        found += told.values()
    return found


def _level(method: Method, top: Method) -> AtLevel:
    variables = dict(method.home.variables)
    beside = "" if method is top else top.name
    return AtLevel(method.name, method.level or isa.DEFAULT.name, variables, tuple(sorted(method.extensions)), beside)


def _problems(scope: Scope | None, seed: int) -> list[Problem]:
    """Problems as a search would draw them for the row."""
    if scope is None or not possible(scope):
        return []
    return list(dict.fromkeys(drawn.problem for drawn in chance(scope, Random(seed), PROBLEMS)))


def _compare(problem: Problem, methods: Sequence[Method], top: Method, told: dict[str, AtLevel], runner: Runner) -> None:
    answers = {m.name: _bits(m, problem, runner) for m in methods}
    for name, bits in answers.items():
        level = told[name]
        level.ended += bits is None
        if name == top.name or bits is None or answers[top.name] is None:
            continue
        level.asked[problem.dtype] = level.asked.get(problem.dtype, 0) + 1
        if bits != answers[top.name]:
            level.differ[problem.dtype] = level.differ.get(problem.dtype, 0) + 1
            before = level.lines.get(problem.dtype)
            if before is None or problem.spec.macs < Problem.parse(before).spec.macs:
                level.lines[problem.dtype] = str(problem)


def _bits(method: Method, problem: Problem, runner: Runner) -> bytes | None:
    """The bytes of the answer; None if there is none."""
    request = Request(
        spec=problem.spec,
        op=problem.op,
        dtype=problem.dtype,
        operands=problem.operands,
        layout=problem.layout,
        threads=method.threads,
    )
    reply = runner.call(target_of(method), request)
    return reply.output.tobytes() if reply.ending is Ending.ANSWERED else None
