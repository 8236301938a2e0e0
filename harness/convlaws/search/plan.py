"""Plan: what to search."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from convlaws.judge.case import unable
from convlaws.judge.cell import Cell, refused_cell
from convlaws.laws.registry import Law
from convlaws.problem.features import said
from convlaws.problem.problem import OPS
from convlaws.problem.scope import WHOLE, Scope
from convlaws.records.finding import LEAST, Finding, name_parts
from convlaws.search.drawing import possible
from convlaws.search.feasible import admitted
from convlaws.targets.registry import Method


@dataclass
class Plan:
    """What to search: methods, laws, a scope that narrows both, a seed, and how long.

    `examples` is the least number of judged examples for each (method, law, op); with a
    `budget` in seconds, rounds of as many follow until it is spent.
    """

    methods: list[Method]
    laws: list[Law]
    scope: Scope = WHOLE
    seed: int = 0
    budget: float | None = None
    examples: int = LEAST

    def jobs(self, size: int) -> Iterator[tuple[list[Cell], list[Finding]]]:
        """Up to `size` laws on one op, which judge the same problems: cells and findings as of `job`; the weighty laws first."""
        ordered = sorted(self.laws, key=lambda law: -law.weight)
        for start in range(0, len(ordered), size):
            for op in OPS:
                laid = [self.job(law, op) for law in ordered[start : start + size] if op in law.scope.ops]
                yield [cell for cells, _ in laid for cell in cells], [finding for _, refused in laid for finding in refused]

    def job(self, law: Law, op: str) -> tuple[list[Cell], list[Finding]]:
        """The cells of (law, op), and the findings of those that have no problem at all."""
        asked = law.scope.meet(self.scope)
        only = asked and asked.meet(replace(WHOLE, ops=(op,)))
        if only is None or not possible(only):
            return [], []
        cells, refused = [], []
        for method in self.methods:
            scope = only.meet(method.scope)
            if method.absent:
                refused.append(refused_cell(method, law, op, method.absent))
            elif reason := unable(method, law):
                refused.append(refused_cell(method, law, op, reason))
            elif scope is None or not possible(scope):
                refused.append(refused_cell(method, law, op, _clash(only, method.scope)))
            else:
                cells.append(Cell(method, law, op, scope))
        return cells, refused

    def seed_of(self, cell: Cell, number: int, batch: int) -> int:
        """The seed of a batch of draws in a round."""
        name = name_parts(cell.method.name)[0]  # two versions or levels of an engine are asked the same
        return zlib.crc32(f"{self.seed} {cell.law.name} {cell.op} {name} {number} {batch}".encode())

    def admits(self, name: str) -> int:
        """The pairs that the scope of the method of that name admits here; see `admitted`."""
        scope = next(m.scope for m in self.methods if m.name == name).meet(self.scope)
        return admitted(scope) if scope and possible(scope) else 0


def _clash(law: Scope, method: Scope) -> str:
    """Why two scopes share no problem, in words."""
    for name in Scope.__dataclass_fields__:
        mine, theirs = getattr(law, name), getattr(method, name)
        if Scope(**{name: mine}).meet(Scope(**{name: theirs})) is None:
            return f"the law is about {name} {', '.join(map(said, mine))}, the method does only {', '.join(map(said, theirs))}"
    return "the law is about no problem that is in the method's scope"
