"""Engines that live in homes of their own: what one of them does to its process, the others do not notice."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace

import pytest

from convlaws.laws.registry import find as laws
from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending, Request
from convlaws.problem.scope import Scope
from convlaws.records.finding import LEAST, Verdict
from convlaws.reports.console import unasked
from convlaws.sandbox.sandbox import Sandbox
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.targets.function import user_method
from convlaws.targets.process_spec import WITH_TORCH, ProcessSpec
from convlaws.targets.registry import Package, get, target_of

PROBLEM = Problem.parse("n1c1k1_x4_r2_s1_p0_d1_g1 fprop float64 contiguous integers seed=0")
SCOPE = Scope(ops=("fprop",), ndim=(1,), dtypes=("float64",), batch=("one",), transposed=(False,), padding=("none",))
KERNELS = """
import os, time
from scripted.functions import conv1d as right

def hangs(x, w, b, *how):
    time.sleep(60)

def tells(x, w, b, *how):
    assert os.environ["CONVLAWS_TEST_HOME"] == "here"
    return right(x, w, b, *how)

def slow(x, w, b, *how):
    time.sleep(0.2)
    return right(x, w, b, *how)

def plain(x, w, b, *how):
    assert "CONVLAWS_TEST_HOME" not in os.environ
    time.sleep(0.002)
    return right(x, w, b, *how)
"""
TORCH = ("torch",)


@pytest.fixture
def kernel(tmp_path):
    """A function of KERNELS as an engine in a home."""
    (tmp_path / "kernels.py").write_text(KERNELS)

    def made(name: str, home: ProcessSpec = WITH_TORCH):
        return replace(user_method(f"{tmp_path}/kernels.py:{name}", "conv1d"), home=home)

    return made


def request(problem: Problem = PROBLEM) -> Request:
    return Request(spec=problem.spec, op=problem.op, dtype=problem.dtype, operands=problem.operands)


def searched(methods, box, **limits):
    plan = Plan(methods, laws(["equals-the-definition", "additive-in-x"]), SCOPE, examples=LEAST, **limits)
    return Search(plan, box).run()


def by_method(findings):
    return {name: [f for f in findings if f.method == name] for name in dict.fromkeys(f.method for f in findings)}


def test_variables_of_a_home_are_seen_in_it_and_nowhere_else(kernel):
    told = kernel("tells", ProcessSpec(modules=TORCH, variables=(("CONVLAWS_TEST_HOME", "here"),)))

    with Sandbox() as box:
        replies = [box.call(target_of(m), request()) for m in (told, kernel("plain"), told)]

    assert [r.ending for r in replies] == [Ending.ANSWERED] * 3


def test_one_that_cannot_be_imported_fails_once_and_the_others_are_complete(kernel):
    broken = kernel("tells", ProcessSpec(modules=("no_such_library",)))

    with Sandbox() as box:
        found = by_method(searched([broken, get("im2col")], box))

    ours, theirs = found["im2col"], found[broken.name]
    assert [f.verdict for f in ours] == [Verdict.KEPT] * 2
    assert sorted(f.verdict for f in theirs) == [Verdict.CRASHED, Verdict.REFUSED]
    assert all("No module named 'no_such_library'" in f.message for f in theirs)


def test_one_that_dies_while_it_is_imported_is_said_to(kernel, tmp_path, monkeypatch):
    (tmp_path / "dies_at_import.py").write_text("import os\nos.kill(os.getpid(), 11)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    broken = kernel("tells", ProcessSpec(modules=("dies_at_import",)))

    with Sandbox() as box:
        reply = box.call(target_of(broken), request())

    assert reply.ending is Ending.NOT_LOADED
    assert "SIGSEGV" in reply.message


def test_one_that_is_killed_in_mid_run_loses_a_case_and_the_others_none(kernel):
    victim = kernel("plain", ProcessSpec(modules=TORCH))
    with Sandbox() as box:
        box.call(target_of(victim), request())
        stop = threading.Event()
        killer = threading.Thread(target=_kill_often, args=(box.supervisor(target_of(victim)), stop))
        killer.start()
        try:
            found = by_method(searched([victim, get("im2col")], box))
        finally:
            stop.set()
            killer.join()

    assert [f.verdict for f in found["im2col"]] == [Verdict.KEPT] * 2
    assert all(f.examples >= LEAST for f in found["im2col"])
    assert all("SIGKILL" in f.message for f in found[victim.name] if f.verdict is Verdict.CRASHED)
    assert box.deaths >= 1


def _kill_often(supervisor, stop: threading.Event) -> None:
    """Kill its child now and then: three times, or until told to stop."""
    for _ in range(3):
        if stop.wait(0.03):
            return
        child = supervisor._processes.child
        if child is not None:
            os.kill(child.pid, signal.SIGKILL)


def test_one_that_hangs_uses_up_its_own_time_and_no_one_elses(kernel):
    sleeper = kernel("hangs", ProcessSpec(modules=TORCH))

    with Sandbox(time_limit=0.3) as box:
        found = by_method(searched([sleeper, get("im2col")], box, budget=6.0))

    assert [f.verdict for f in found["im2col"]] == [Verdict.KEPT] * 2
    assert Verdict.HUNG in {f.verdict for f in found[sleeper.name]}


def test_what_is_not_installed_is_refused_with_what_pip_should_get():
    method = replace(get("im2col"), package=Package(name="no-such-engine", module="no_such_engine", beside=("six",)))

    with Sandbox() as box:
        found = searched([method], box)

    mine = [f for f in found if f.method == method.name]
    assert {f.verdict for f in mine} == {Verdict.REFUSED}
    assert all("pip install 'no-such-engine six'" in f.message for f in mine)
    assert unasked(found) == f"{method.name}: {mine[0].message}"


@pytest.mark.long
def test_a_slow_engine_does_not_starve_the_others(kernel):
    slow = kernel("slow", ProcessSpec(modules=TORCH))

    with Sandbox() as box:
        found = by_method(searched([slow, get("im2col")], box, budget=6.0))

    assert all(f.examples >= LEAST for f in found["im2col"])
