"""Judging of one shard: by a search of its own, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.shard import Pair, Shard, compact
from convlaws.judge.case import Outcome
from convlaws.judge.cell import Cell
from convlaws.judge.replay import Judge, why_not
from convlaws.known import Ledger
from convlaws.laws import registry as laws
from convlaws.laws.registry import Law
from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE
from convlaws.records.coverage import Coverage
from convlaws.records.finding import SCHEMA, CellId, Finding
from convlaws.sandbox.interrupt import Interrupted
from convlaws.sandbox.runner import Runner
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.search.shrink import Shrinker
from convlaws.strategies.blocks import Drawn
from convlaws.targets.registry import Method

# Attempts to shrink one failure. A time limit would make the shrunk line depend on the machine; 300 attempts of a
# millisecond or two are what `check` has in half a second, and the project's mutants need 20 to 150.
TRIES, TRIES_OF_A_HANG = 300, 20
Beat = Callable[[int], bool]  # gets the number of the case that begins, from 1; returns True to stop


@dataclass
class ShardPlan(Plan):
    """A plan of the (law, method) pairs of a shard, on one op."""

    op: str = ""
    pairs: frozenset[Pair] = frozenset()

    def job(self, law: Law, op: str) -> tuple[list[Cell], list[Finding]]:
        """The cells of the shard, and the findings of those refused."""
        if op != self.op:
            return [], []
        methods = [m for m in self.methods if (law.name, m.name) in self.pairs]
        return Plan(methods, self.laws, self.scope, self.seed).job(law, op)


class ShardSearch(Search):
    """A search that does not depend on the clock, and judges no problem of a (method, law) twice."""

    def __init__(self, plan: Plan, runner: Runner, ledger: Ledger, notify: Callable[[dict], None], beat: Beat, quiet: set[Pair]):
        super().__init__(plan, runner, ledger, notify, ignore_second=True)
        self.shrinker = Shrinker(self, allowance=float("inf"), tries=TRIES, tries_of_a_hang=TRIES_OF_A_HANG)
        self.beat, self.quiet = beat, quiet
        self.met: set[tuple[str, str, Problem]] = set()

    def examine(self, cell: Cell, problem: Problem, *, fresh: bool = False) -> Outcome:
        """Run one case, after reporting its number to `beat`."""
        if self.beat(self.judged + 1):
            self.interrupt.press()
        return super().examine(cell, problem, fresh=fresh)

    def _begin(self, cell: Cell, drawn: Drawn) -> None:
        case = (cell.method.name, cell.law.name, drawn.problem)
        if case not in self.met:
            self.met.add(case)
            super()._begin(cell, drawn)

    def _shrink(self) -> None:
        self.waiting = [w for w in self.waiting if (w[0].law.name, w[0].method.name) not in self.quiet]
        super()._shrink()


def judge(plan: CampaignPlan, shard: Shard, runner: Runner, ledger: Ledger, notify: Callable[[dict], None], beat: Beat) -> dict:
    """The record of a shard; `notify` gets failures as soon as they are found, as {"failures": [Finding, ...]}."""
    began = time.monotonic()
    runner.refresh()  # the result must not depend on what ran before
    result = (_given if shard.lines else _drawn)(plan, shard, runner, ledger, notify, beat)
    told = {"kind": "shard", "schema": SCHEMA, "shard": shard.id, "lane": shard.lane, "stage": shard.stage, "op": shard.op}
    return {**told, "seed": shard.seed, "seconds": round(time.monotonic() - began, 3), **result}


def _drawn(
    plan: CampaignPlan, shard: Shard, runner: Runner, ledger: Ledger, notify: Callable[[dict], None], beat: Beat
) -> dict[str, Any]:
    names = dict.fromkeys(method for _, methods in shard.cells for method in methods)
    whole = replace(plan, methods=tuple(names), laws=tuple(law for law, _ in shard.cells)).search()
    mine = ShardPlan(whole.methods, whole.laws, whole.scope, shard.seed, None, shard.examples, shard.op, shard.pairs)
    watch = _Watch(notify)
    search = ShardSearch(mine, runner, ledger, watch, beat, set(shard.quiet))
    findings = search.run()
    cells = [cell for job in search.jobs for cell in job]
    spent = [[c.law.name, c.method.name] for c in cells if watch.complete and c.examples < shard.examples]
    return {
        "complete": watch.complete,
        "lost": watch.lost,
        "judged": search.judged,
        "cells": [compact(f) for f in findings],
        "spent": spent,
        "coverage": search.coverage(),
    }


class _Watch:
    """Listener for a search's events: records if it completed, and reports each kind of failure once, before shrinking."""

    def __init__(self, notify: Callable[[dict], None]):
        self.notify, self.complete, self.lost = notify, True, ""
        self.told: set[tuple[str, ...]] = set()

    def __call__(self, event: dict) -> None:
        if event.get("interrupted") or "lost" in event:
            self.complete, self.lost = False, event.get("lost", "")
        kinds = {(f.method, f.law, f.op, f.signature): f for f in event.get("findings", ()) if f.verdict.bad and not f.known}
        if news := [f for kind, f in kinds.items() if kind not in self.told]:
            self.told |= kinds.keys()
            self.notify({"failures": news})


def _given(
    plan: CampaignPlan, shard: Shard, runner: Runner, ledger: Ledger, notify: Callable[[dict], None], beat: Beat
) -> dict[str, Any]:
    """Judge kept lines: each for its method and law, after the lines that must run before it."""
    cells: dict[CellId, Cell] = {}
    judge, coverage, complete = Judge(runner), Coverage(), True
    methods = {m.name: m for m in plan.resolved()}
    try:
        for name, law_name, lines in shard.lines:
            if beat(judge.count + 1):
                raise Interrupted
            method, law = methods[name], laws.find([law_name])[0]
            *before, last = map(Problem.parse, lines)
            if before:
                runner.refresh()
            if why_not(method, law, last) is None:
                cell = cells.setdefault(CellId(name, law_name, last.op), Cell(method, law, last.op, WHOLE, each=True))
                _replayed(judge, cell, before, last, ledger, coverage)
                if bad := [f for f in cell.findings(least=1) if f.verdict.bad and not f.known]:
                    notify({"failures": bad})
    except Interrupted:
        complete = False
    findings = [f for cell in cells.values() for f in cell.findings(least=1)]
    result = {"complete": complete, "lost": "", "judged": judge.count, "cells": [compact(f) for f in findings]}
    return {**result, "spent": [], "coverage": coverage.record()}


def _replayed(judge: Judge, cell: Cell, before: list[Problem], last: Problem, ledger: Ledger, coverage: Coverage) -> None:
    method: Method = cell.method
    for problem in before:
        judge(method, cell.law, problem)
    outcome = judge(method, cell.law, last)
    known = judge.explained(ledger, method, cell.law, last, outcome) if outcome.verdict.bad else ""
    coverage.see(method.name, last, outcome.verdict)
    if failure := cell.add(last, outcome, known):
        failure.shrunk, failure.history = True, [str(p) for p in before]
