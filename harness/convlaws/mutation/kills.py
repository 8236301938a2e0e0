"""Which laws kill which mutants: one search over many mutants, which judges each law until it kills."""

from __future__ import annotations

import time
from itertools import count

from convlaws.judge.case import Outcome
from convlaws.judge.cell import Cell
from convlaws.laws.registry import Law, laws
from convlaws.mutation.hunt import hurried
from convlaws.sandbox.runner import Runner
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.strategies.blocks import Drawn
from convlaws.targets.registry import Method

Pair = tuple[str, str]  # a method, a law


class KillTally(Search):
    """A search that judges each (method, law) until it fails once, and does not shrink.

    The methods share draws and references, so a second of it achieves more than one of separate searches.
    """

    def __init__(self, plan: Plan, runner: Runner):
        super().__init__(plan, runner)
        self.killed: dict[Pair, str] = {}

    def _record(self, cell: Cell, drawn: Drawn, outcome: Outcome) -> None:
        super()._record(cell, drawn, outcome)
        if outcome.verdict.bad:
            self.killed.setdefault((cell.method.name, cell.law.name), str(drawn.problem))
            cell.goal = 0  # killed: no more examples needed

    def _serve(self, cells: list[Cell], number: int, index: int) -> None:
        super()._serve([c for c in cells if (c.method.name, c.law.name) not in self.killed], number, index)

    def _rounds(self) -> None:
        """Run rounds until the budget is spent or every pair is killed."""
        assert self.plan.budget is not None
        pairs = {(cell.method.name, cell.law.name) for cells in self.jobs for cell in cells}
        for number in count(1):
            for index, cells in enumerate(self.jobs):
                self._serve(cells, number, index)
            if pairs <= self.killed.keys() or time.monotonic() - self.started > self.plan.budget:
                return

    def _shrink(self) -> None:
        self.waiting.clear()


def kills(methods: list[Method], runner: Runner, seed: int, seconds: float, asked: list[Law] | None = None) -> dict[Pair, str]:
    """The problem on which each (method, law) first failed, in `seconds` for all together; all laws unless some are `asked`."""
    runner.refresh()
    search = KillTally(Plan(methods, asked or laws(), seed=seed, budget=seconds), runner)
    with hurried(runner):
        search.run()
    return search.killed
