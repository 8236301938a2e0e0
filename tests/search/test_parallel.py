"""Several processes: what one of them loses is its own."""

from __future__ import annotations

import multiprocessing as mp
from dataclasses import replace

import pytest

from convlaws.laws import registry as laws
from convlaws.records.finding import Verdict
from convlaws.sandbox.sandbox import InProcess
from convlaws.sandbox.settings import Setting
from convlaws.search.parallel import search
from convlaws.search.plan import Plan
from convlaws.targets.registry import find

PLAN = Plan(find(["loop", "im2col"]), laws.find(["zero-input-gives-the-bias"]))


def test_findings_stand_in_the_order_of_the_plan():
    found = search(PLAN, Setting(sandbox=False), 2, lambda event: None, InProcess())

    assert list(dict.fromkeys(f.method for f in found)) == ["loop", "im2col"]
    assert {f.verdict for f in found} == {Verdict.KEPT}


@pytest.mark.parametrize("sandbox", [True, False])
def test_a_worker_that_dies_leaves_what_it_had_found_and_the_others_go_on(sandbox):
    lost, killed = [], []

    def kill_the_first(event):
        if event.get("worker") == 0 and "progress" in event and not killed:
            killed.append(min(mp.active_children(), key=lambda process: process.pid))
            killed[0].kill()
        lost.extend([event["lost"]] if "lost" in event else [])

    long = replace(PLAN, laws=laws.find(["equals-the-definition"]), examples=150)  # a job for each op: more is to come
    found = search(long, Setting(sandbox=sandbox), 2, kill_the_first, InProcess())

    assert killed
    assert lost == ["worker 0 died with exit code -9; the findings of loop end there"]
    assert {f.method for f in found} == {"loop", "im2col"}
    # whatever it did, what is told of it is no more than what it had told
    assert all(f.examples > 0 for f in found)
