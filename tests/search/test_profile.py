"""Where the time of a search goes, as the stack of the main thread says."""

from __future__ import annotations

import json
import sys
import time

from commands import typed

from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.sandbox.sandbox import InProcess
from convlaws.search.profile import REST, STEPS, WAIT, profiling, step
from convlaws.strategies.blocks import block


def steps_within(call) -> set[str]:
    """The steps of all stacks in which `call` enters a function."""
    found = set()
    sys.setprofile(lambda frame, event, _: found.add(step(frame)) if event == "call" else None)
    try:
        call()
    finally:
        sys.setprofile(None)
    return found


def test_a_stack_belongs_to_the_step_of_its_innermost_file_of_ours():
    assert "drawing" in steps_within(lambda: list(block(Scope(), 0, 4)))
    assert "drawing" in steps_within(lambda: Problem.parse("n1c1k1_x4_r2 seed=77").operands)
    assert WAIT in steps_within(InProcess().collect)
    assert steps_within(lambda: json.dumps({"nothing": "of ours"})) == {REST}


def test_seconds_are_told_at_the_end_and_nothing_is_unless_wanted():
    told = []

    with profiling(True, told.append):
        time.sleep(0.1)
    with profiling(False, told.append):
        time.sleep(0.01)

    assert len(told) == 1
    assert sum(told[0]["profile"].values()) > 0.05


def test_a_run_prints_it_and_its_summary_has_it(tmp_path):
    out = tmp_path / "found.jsonl"

    only = ("--op", "fprop", "--law", "equals-the-definition", "--law", "homogeneous")
    done = typed("check", "im2col", "loop", *only, "--examples", 20, "--workers", 2, "--profile", "--json", out)

    assert "where the time went:" in done.stdout
    profiled = done.stdout.partition("where the time went:")[2]
    assert all(word in profiled for word in ("step:", "method:", "law:", "im2col", "loop"))
    profile = json.loads(out.read_text().splitlines()[-1])["profile"]
    assert profile.keys() <= {says for _, says in STEPS} | {WAIT, REST, "shrinking and repeating"}
    assert sum(profile.values()) > 0.2


def test_who_does_not_ask_is_not_told(tmp_path):
    done = typed("check", "im2col", "--law", "homogeneous", "--examples", 5, "--op", "fprop")

    assert "where the time went" not in done.stdout
