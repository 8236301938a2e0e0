"""Blocks: what Hypothesis would draw from the same tables, at a tenth of the cost, and what it can draw again."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from convlaws.errors import UsageError
from convlaws.problem.features import features
from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE, Scope
from convlaws.search.drawing import smallest
from convlaws.strategies import problems
from convlaws.strategies.blocks import block, chance
from convlaws.strategies.specs import _WEIGHTS

SCOPES = {
    "all": WHOLE,
    "ordinary": Scope(),
    "depthwise": Scope(grouping=("depthwise",), ops=("dgrad", "wgrad")),
    "tiny": Scope(ndim=(1,), kernel=(3,), macs=100),
}
MANY = 1200  # draws: a share of one half is then known to 0.015
APART = 0.15  # most that a share may differ from Hypothesis', which prefers the ends of ranges and varies earlier examples
NEAR = 0.05  # most that it may differ from what the weights say: over three times the standard deviation


@pytest.mark.parametrize("name", SCOPES)
def test_hypothesis_draws_each_problem_again_from_its_choices(name):
    for drawn in block(SCOPES[name], 7, 24, 0.4):
        again: list[Problem] = []

        smallest(drawn, lambda problem, again=again: bool(again.append(problem)), "a test")

        assert again == [drawn.problem]


@pytest.mark.parametrize("name", SCOPES)
def test_a_block_has_as_many_problems_as_asked_all_within_the_scope(name):
    found = list(block(SCOPES[name], 1, 24, 0.9))

    assert len(found) == 24
    assert all(SCOPES[name].refuses(drawn.problem) is None for drawn in found)


def shares(found: list[Problem]) -> dict[tuple[str, object], float]:
    counts = Counter(pair for problem in found for pair in features(problem).items())
    return {pair: count / len(found) for pair, count in counts.items()}


def test_chance_has_the_support_and_the_shares_of_the_strategy():
    strategy: list[Problem] = []

    @seed(0)
    @settings(max_examples=MANY, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(problems(Scope()))
    def draws(problem):
        strategy.append(problem)

    draws()
    theirs, ours = shares(strategy), shares([drawn.problem for drawn in chance(Scope(), Random(0), MANY)])

    assert theirs.keys() == ours.keys()
    assert {pair: (theirs[pair], ours[pair]) for pair in theirs if abs(theirs[pair] - ours[pair]) > APART} == {}


def test_the_shares_are_those_of_the_weights():
    ours = shares([drawn.problem for drawn in chance(Scope(), Random(1), MANY)])

    for name, field in {"dtype": "dtypes", "layout": "layouts", "ndim": "ndim"}.items():
        total = sum(_WEIGHTS[name].values())
        for value, weight in _WEIGHTS[name].items():
            assert abs(ours[field, value] - weight / total) < NEAR, (name, value)


def test_the_simplest_problems_come_first():
    lengths = [len(drawn.choices) for drawn in block(Scope(), 3, 24)]

    assert lengths[:10] == sorted(lengths[:10])


def test_an_impossible_scope_is_refused_in_words():
    with pytest.raises(UsageError, match="the scope admits no problem"):
        next(block(Scope(ops=("bgrad",), bias=(False,)), 0, 4))
