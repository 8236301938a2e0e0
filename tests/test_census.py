"""What was judged, by values and pairs of values; and how the page reads it."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from convlaws.census import AXES, Census, places
from convlaws.features import features, said
from convlaws.problem import Problem
from convlaws.reports.ledger import ledger

LINES = (
    "n1c2k2_x5_r2_s1_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "n2c2k2_x5x5_r2x2_s2x1_p1x1_d1x1_g2_b wgrad bfloat16 channels_last wild seed=1",
    "uc2k2_x5_r2_s1_p0_d1_g1_t0 dgrad float64 sliced tiny seed=2",
)
PROBLEMS = [Problem.parse(line) for line in LINES]


def pairs_of(problems):
    values = [{name: said(v) for name, v in features(p).items()} for p in problems]
    return {(a, s[a], b, s[b]) for s in values for a, b in combinations(AXES, 2)}


def counted(**methods):
    census = Census()
    for method, problems in methods.items():
        for problem in problems:
            census.see(method, problem)
    return census.record()


def test_every_pair_has_a_bit_of_its_own():
    bits = places(AXES)

    every = sum(len(AXES[a]) * len(AXES[b]) for a, b in combinations(AXES, 2))
    assert sorted(bits.values()) == list(range(every))


def test_the_bits_are_the_pairs_that_the_problems_have():
    told = counted(one=PROBLEMS)["one"]

    bits = int(told["pairs"], 16)
    assert {pair for pair, bit in places(AXES).items() if bits >> bit & 1} == pairs_of(PROBLEMS)


def test_a_problem_counts_once_for_the_laws_that_judge_it_in_a_row():
    told = counted(one=[PROBLEMS[0], PROBLEMS[0], PROBLEMS[1]], two=[PROBLEMS[0]])

    assert {method: t["problems"] for method, t in told.items()} == {"one": 2, "two": 1}
    assert told["one"]["values"]["ops"] == {"fprop": 1, "wgrad": 1}


def test_the_page_has_the_runs_together():
    runs = [{"coverage": {"axes": AXES, "methods": counted(one=[p])}} for p in PROBLEMS] + [{}]

    found = ledger(runs)

    every = sum(1 for a, b in combinations(AXES, 2) for _ in product(AXES[a], AXES[b]))
    assert found.size == 3
    assert found.pairwise == len(pairs_of(PROBLEMS)) / every
    assert [(name, n) for name, n, _ in found.methods] == [("one", 3)]


@pytest.mark.parametrize(
    "nonsense",
    [
        [],
        "x",
        {"axes": {}, "methods": {}},
        {"axes": AXES, "methods": {"m": {}}},
        {"axes": {"a": 1}, "methods": {"m": {"pairs": "zz"}}},
    ],
)
def test_what_cannot_be_read_is_no_ledger(nonsense):
    assert ledger([{"coverage": nonsense}]) is None


def test_a_file_without_it_has_none():
    assert ledger([{}, {"coverage": None}]) is None
