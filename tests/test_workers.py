"""Several processes: what one of them loses is its own."""

from __future__ import annotations

import multiprocessing as mp
from dataclasses import replace

from convlaws.laws import registry as laws
from convlaws.methods.registry import find
from convlaws.plan import Plan
from convlaws.results import Verdict
from convlaws.workers import Setting, search

PLAN = Plan(find(["loop", "im2col"]), laws.find(["zero-input-gives-the-bias"]))


def test_findings_stand_in_the_order_of_the_plan():
    found = search(PLAN, Setting(sandbox=False), 2, lambda event: None)

    assert list(dict.fromkeys(f.method for f in found)) == ["loop", "im2col"]
    assert {f.verdict for f in found} == {Verdict.KEPT}


def test_a_worker_that_dies_loses_its_own_findings_only():
    lost, killed = [], []

    def kill_the_first(event):
        if "progress" in event and not killed:
            killed.append(min(mp.active_children(), key=lambda process: process.pid))
            killed[0].kill()
        lost.extend([event["lost"]] if "lost" in event else [])

    found = search(replace(PLAN, examples=150), Setting(sandbox=False), 2, kill_the_first)

    assert lost == ["worker 0 died with exit code -9; the findings of loop are lost"]
    assert {f.method for f in found} == {"im2col"}
