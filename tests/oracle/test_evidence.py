"""A law that asks the same on both sides says nothing, and is told from one that does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from convlaws.judge.case import Oracle, examine
from convlaws.laws.registry import Law
from convlaws.oracle.claim import Claim
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.records.finding import Verdict
from convlaws.sandbox.sandbox import InProcess
from convlaws.targets.registry import get

PROBLEM = Problem.parse("n2c2k2_x5_r3 fprop float32 contiguous ones")


def same_arrays(p, ask):
    return Claim.equal(ask(p.spec, p.op, p.operands), ask(p.spec, p.op, p.operands))


def equal_arrays(p, ask):
    return Claim.equal(ask(p.spec, p.op, p.operands), ask(p.spec, p.op, {r: a.copy() for r, a in p.operands.items()}))


def same_elements(p, ask):
    one, other = (ask(p.spec, p.op, p.operands).moved(lambda a: a[::-1]) for _ in range(2))
    return Claim.equal(one.called("one"), other.called("other"))


def other_elements(p, ask):
    """Images of ones are alike, but each is computed."""
    one = ask(p.spec, p.op, p.operands)
    return Claim.equal(one, one.moved(lambda a: a[::-1]))


def another_layout(p, ask):
    return Claim.equal(ask(p.spec, p.op, p.operands), ask(p.spec, p.op, p.operands, layout="sliced"))


def other_numbers(p, ask):
    twice = {role: 2 * a for role, a in p.operands.items()}
    return Claim.equal(ask(p.spec, p.op, twice), ask(p.spec, p.op, p.operands) * 4.0)


@pytest.mark.parametrize(
    ("claims", "verdict"),
    [
        (same_arrays, "vacuous"),
        (equal_arrays, "vacuous"),
        (same_elements, "vacuous"),
        (other_elements, "kept"),
        (another_layout, "kept"),
        (other_numbers, "kept"),
    ],
)
def test_two_sides_that_are_one_are_no_evidence(claims, verdict):
    outcome = examine(get("im2col"), Law("a-law", "A law.", claims, Scope()), PROBLEM, InProcess(), Oracle())

    assert str(outcome.verdict) == verdict
    assert outcome.message == ("both sides are the same" if verdict == "vacuous" else "")


def test_what_a_law_asks_for_beside_a_small_problem_is_small_enough_to_be_judged():
    """Seen: two kernels that reach far beyond their image made one so vast that the judge ran out of memory."""

    def vast(p, ask):
        return Claim.equal(ask(p.spec, p.op, p.operands), ask(replace(p.spec, in_channels=10**7), p.op, {}))

    outcome = examine(get("im2col"), Law("vast", "vast", vast, Scope()), PROBLEM, InProcess(), Oracle())

    assert outcome.verdict is Verdict.REFUSED
    assert "beside this one: 360,000,000 multiply-adds are over the limit of 30,000,000" in outcome.message
