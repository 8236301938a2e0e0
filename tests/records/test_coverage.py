"""What was judged, by values and pairs of values; and how the page reads it."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE, Scope
from convlaws.records.coverage import AXES, Coverage, evident, places, values
from convlaws.records.finding import Verdict
from convlaws.reports.page.coverage_pairs import ledger
from convlaws.search.feasible import admitted, impossible
from convlaws.strategies.blocks import block

LINES = (
    "n1c2k2_x5_r2_s1_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "n2c2k2_x5x5_r2x2_s2x1_p1x1_d1x1_g2_b wgrad bfloat16 channels_last wild seed=1",
    "uc2k2_x5_r2_s1_p0_d1_g1_t0 dgrad float64 sliced tiny seed=2",
)
PROBLEMS = [Problem.parse(line) for line in LINES]


def pairs_of(problems):
    return {(a, values(p)[a], b, values(p)[b]) for p in problems for a, b in combinations(AXES, 2)}


def pairs_in(text):
    bits = int(text, 16)
    return {pair for pair, bit in places(AXES).items() if bits >> bit & 1}


def counted(verdict=Verdict.KEPT, **methods):
    census = Coverage()
    for method, problems in methods.items():
        for problem in problems:
            census.see(method, problem, verdict)
    return census.record()


def test_every_pair_has_a_bit_of_its_own():
    bits = places(AXES)

    every = sum(len(AXES[a]) * len(AXES[b]) for a, b in combinations(AXES, 2))
    assert sorted(bits.values()) == list(range(every))


def test_the_bits_are_the_pairs_that_the_problems_have():
    told = counted(one=PROBLEMS)["one"]

    assert pairs_in(told["pairs"]) == pairs_of(PROBLEMS)


def test_a_problem_counts_once_for_the_laws_that_judge_it_in_a_row():
    told = counted(one=[PROBLEMS[0], PROBLEMS[0], PROBLEMS[1]], two=[PROBLEMS[0]])

    assert {method: t["problems"] for method, t in told.items()} == {"one": 2, "two": 1}
    assert told["one"]["values"]["ops"] == {"fprop": 1, "wgrad": 1}


# --- how problems end -----------------------------------------------------------------
WAYS = {
    Verdict.KEPT: {"judged"},
    Verdict.BROKEN: {"judged"},
    Verdict.REFUSED: {"refused"},
    Verdict.VACUOUS: {"vacuous"},
    Verdict.CRASHED: {"judged", "crashed"},
    Verdict.HUNG: {"judged", "crashed"},
}


@pytest.mark.parametrize(("verdict", "ways"), WAYS.items(), ids=map(str, WAYS))
def test_a_problem_counts_as_drawn_and_by_how_it_ended(verdict, ways):
    told = counted(verdict, one=PROBLEMS[:2])["one"]

    tallies = {"judged": told, **told["ended"]}
    assert {end for end, tally in tallies.items() if tally["problems"]} == {"drawn", *ways}
    assert all(tallies[end]["problems"] == 2 and pairs_in(tallies[end]["pairs"]) == pairs_of(PROBLEMS[:2]) for end in ways)


def test_a_problem_that_ends_in_two_ways_counts_once_for_each():
    census = Coverage()
    for verdict in (Verdict.KEPT, Verdict.VACUOUS, Verdict.KEPT):
        census.see("one", PROBLEMS[0], verdict)
    told = census.record()["one"]

    assert (told["problems"], told["ended"]["vacuous"]["problems"], told["ended"]["drawn"]["problems"]) == (1, 1, 1)


# --- what a scope admits --------------------------------------------------------------
SCOPES = {
    "whole": WHOLE,
    "ordinary": Scope(),
    "3x3": Scope(kernel=(3,), stride=(1,), dilation=(1,), strided=(False,), dilated=(False,), ndim=(2,)),
    "transposed": Scope(transposed=(True,)),
    "few multiply-adds": Scope(macs=200, ndim=(1,)),
    "one tap, stride 2": Scope(kernel=(1,), stride=(2,), strided=(True,)),
}


@pytest.mark.parametrize("name", SCOPES)
def test_nothing_that_is_drawn_is_beyond_what_the_scope_admits(name):
    drawn = [problem for problem, *_ in block(SCOPES[name], 0, 150)]

    beyond = pairs_of(drawn) - pairs_in(f"{admitted(SCOPES[name]):x}")

    assert len(drawn) >= 150
    assert not beyond


def test_what_everything_admits_and_what_is_impossible_are_all_pairs():
    admits = pairs_in(f"{admitted(WHOLE):x}")

    assert admits.isdisjoint(impossible())
    assert admits | impossible().keys() == places(AXES).keys()
    assert all(impossible().values())


# --- the page -------------------------------------------------------------------------
def coverage(axes=AXES, **methods):
    return {"coverage": {"axes": axes, "methods": methods}}


def test_the_page_has_the_runs_together():
    admits = f"{admitted(WHOLE):x}"
    runs = [coverage(one=counted(one=[p])["one"] | {"admits": admits}) for p in PROBLEMS] + [{}]
    runs.append(coverage(one=counted(Verdict.VACUOUS, one=PROBLEMS[:1])["one"] | {"admits": admits}))

    found = ledger(runs)

    whole = pairs_in(admits)
    judgeable = set(filter(evident, whole))
    (row,) = found.ended.methods
    assert found.size == 3
    assert found.pairwise == len(pairs_of(PROBLEMS)) / len(whole)
    assert (row.method, row.counts) == ("one", [4, 3, 0, 1, 0])
    assert row.missing == len(judgeable - pairs_of(PROBLEMS))
    assert ("op", "fprop", [2, 1, 0, 1, 0]) in found.ended.values_


def test_a_file_of_before_is_read_and_says_what_it_has():
    old = {key: counted(one=PROBLEMS)["one"][key] for key in ("problems", "values", "pairs")}

    found = ledger([coverage(one=old)])

    (row,) = found.ended.methods
    every = sum(1 for a, b in combinations(AXES, 2) for _ in product(AXES[a], AXES[b]))
    assert found.pairwise == len(pairs_of(PROBLEMS)) / every
    assert (row.counts, row.share, row.missing) == ([None, 3, None, None, None], "", None)
    assert found.ended.values_ == []


def test_runs_of_other_axes_are_read_together_by_those_that_all_have():
    fewer = {name: values for name, values in AXES.items() if name != "unused_tail"}
    told = counted(one=PROBLEMS)["one"]
    bits = places(fewer)
    pairs = sum(1 << bits[pair] for pair in pairs_of(PROBLEMS) if pair in bits)
    older = {"problems": 3, "values": told["values"], "pairs": f"{pairs:x}"}

    found = ledger([coverage(one=told), coverage(fewer, one=older)])

    assert found.size == 6
    assert "unused tail" not in [name for name, _ in found.axes]
    assert len(found.axes) == len(AXES) - 1


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
