"""What failures shrink to, and how many cases that takes: a crash, a hang and a stain on memory as well as a wrong value."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from long_tables import sliced

from convlaws.judge.cell import Failure
from convlaws.laws import registry as laws
from convlaws.mutation.minimal import SIMPLEST, apart
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.records.finding import Finding
from convlaws.sandbox.sandbox import Sandbox
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.search.shrink import Shrinker
from convlaws.targets.registry import get

DEFINITION = "equals-the-definition"
SEED = 2  # whose first failures are large
# mutant: the law that is asked, the failure's signature, the fields that must stay apart from the simplest problem.
# What is drawn is narrowed for none of them.
SMALL = {
    "flipped-kernel": (DEFINITION, "value", {"extent", "kernel"}),
    "forgotten-dilation": (DEFINITION, "value", {"extent", "kernel", "dilation"}),
    "second-image-is-the-first": (DEFINITION, "value", {"batch"}),
    "first-group-twice": (DEFINITION, "value", {"in_channels", "out_channels", "groups"}),
    "wgrad-of-the-first-image": (DEFINITION, "value", {"batch", "op"}),
    "dgrad-unflipped": (DEFINITION, "value", {"extent", "kernel", "op"}),
    "crashes-on-dilation": (DEFINITION, "SIGSEGV", {"dilation"}),
    "aborts-on-empty-batch": (DEFINITION, "SIGABRT", {"batch"}),
    "refuses-depthwise": (DEFINITION, "SystemExit", {"in_channels", "out_channels", "groups"}),
    "hangs-on-many-groups": (DEFINITION, "time", {"in_channels", "out_channels", "groups"}),
    "raises-on-a-large-stride": (DEFINITION, "ValueError", {"stride"}),
    "writes-into-the-input": ("operands-are-left-alone", "value", set()),
    "returns-its-buffer": ("an-output-outlives-the-next-call", "value", set()),
    "reads-before-the-input": ("nothing-outside-is-read", "nan", {"padding"}),
}
SLACK = 1  # fields more than these: where the shrinker may stop at another small problem
TRIES = 150  # cases; the most seen of these is a third of it, and a shrinker without direction takes thousands


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(time_limit=0.5) as sandbox:
        yield sandbox


def found(box: Sandbox, name: str) -> list[Finding]:
    law, signature, _ = SMALL[name]
    plan = Plan([get(f"mutant-{name}")], laws.find([law]), Scope(), SEED, None, 60)
    return [f for f in Search(plan, box).run() if f.verdict.bad and f.signature == signature]


@pytest.mark.parametrize("name", sliced(SMALL, ("flipped-kernel", "crashes-on-dilation", "writes-into-the-input")))
def test_a_failure_shrinks_to_the_fields_that_it_needs_in_few_tries(box, name):
    needed = SMALL[name][2]

    failures = found(box, name)

    assert failures, "not found"
    smallest = min(failures, key=lambda f: len(apart(Problem.parse(f.problem))))
    fields = set(apart(Problem.parse(smallest.problem)))
    assert needed <= fields, smallest.problem
    assert len(fields) <= len(needed) + SLACK, smallest.problem
    assert max(f.tries for f in failures) <= TRIES


def test_the_tries_are_counted(box):
    failures = found(box, "flipped-kernel")

    assert all(f.tries >= 3 for f in failures), [f.tries for f in failures]
    assert all(f.after >= 1 for f in failures)


def test_what_is_not_shrunk_is_measured_as_large(box, monkeypatch):
    """The measure itself can fail: without shrinking the same failures have more fields apart than the bound allows."""
    monkeypatch.setattr(Shrinker, "_search", lambda self, cell, failure, drawn, seconds: None)

    failures = found(box, "flipped-kernel")

    smallest = min(len(apart(Problem.parse(f.problem))) for f in failures)
    assert smallest > len(SMALL["flipped-kernel"][2]) + SLACK


def test_the_simplest_problem_is_apart_in_nothing_and_every_field_counts_once():
    far = Problem.parse("n2c4k6_x9x9_r3x3_s2x2_p1x1_d2x2_g2_b wgrad float16 sliced normal seed=7")

    assert apart(SIMPLEST) == ()
    assert len(apart(far)) == len(set(apart(far))) == 16
    assert Failure(SIMPLEST, None).tries == 0
