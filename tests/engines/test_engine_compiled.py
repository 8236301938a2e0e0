"""Inductor's row: one problem is compiled and judged, and what it does not do is refused."""

from __future__ import annotations

import shutil

import pytest

from convlaws.judge.replay import repeated
from convlaws.laws.registry import find as laws
from convlaws.problem.problem import Problem
from convlaws.records.finding import Verdict
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.registry import find, get, rows

PROBLEM = Problem.parse("n2c3k4_x5x6_r3x2_s2x1_p1x0_d1x2_g1_b fprop float32 contiguous integers seed=1")


@pytest.mark.long
@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="there is no C++ compiler")
def test_a_compiled_convolution_is_judged_and_says_what_ran():
    with Sandbox(time_limit=120) as box:
        ((_, outcome),) = repeated(get("compiled-torch"), laws(["equals-the-definition"]), [PROBLEM], box)

    assert outcome.verdict in set(Verdict)
    assert outcome.message or outcome.verdict is Verdict.KEPT
    assert outcome.ran.startswith("Inductor of torch") or outcome.verdict is not Verdict.KEPT


def test_it_is_asked_for_by_name_only():
    assert "compiled-torch" not in {m.name for m in find(["*"])}
    assert [m.name for m in find(["compiled-*"])] == [m.name for m in rows("compiled")]
