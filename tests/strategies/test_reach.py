"""What a search reaches with the least that it judges: each corner, and each pair of values that can be judged."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from random import Random
from unittest.mock import patch

import pytest
from hypothesis.internal.conjecture import providers

from convlaws.laws import registry as laws
from convlaws.problem.axes import axes
from convlaws.problem.features import features
from convlaws.problem.scope import WHOLE, Scope
from convlaws.records.coverage import AXES, NOTHING, evident, places, values
from convlaws.records.finding import Verdict
from convlaws.sandbox.sandbox import InProcess, Sandbox
from convlaws.search.drawing import smallest
from convlaws.search.feasible import admitted, impossible
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.strategies.blocks import block, follow
from convlaws.strategies.corners import corners
from convlaws.strategies.covering_array import FILE, computed, rows, text
from convlaws.strategies.mixture import hints
from convlaws.strategies.network_layers import layers
from convlaws.strategies.specs import MAX_MACS, plan
from convlaws.targets.registry import get

FEW = ("equals-the-definition", "homogeneous", "negation-bit-for-bit")
FIELDS = {"op": "ops", "dtype": "dtypes", "layout": "layouts", "fill": "fills"}


class Recording(Search):
    """A search that remembers what it judged, and how that ended."""

    def examine(self, cell, problem, **how):
        outcome = super().examine(cell, problem, **how)
        self.seen.setdefault(problem, set()).add(outcome.verdict)
        return outcome


@pytest.fixture(scope="module")
def seen():
    """The problems of one round of all laws on a method that does everything, 20 examples each: every budget has them."""
    with Sandbox() as box:
        search = Recording(Plan([get("im2col")], laws.laws()), box)
        search.seen = {}
        search.run()
    return search.seen


@pytest.mark.long
def test_a_round_is_about_two_thousand_problems(seen):
    assert 1500 < len(seen) < 2600


@pytest.mark.long
@pytest.mark.parametrize("corner", corners(), ids=lambda corner: corner.name)
def test_each_corner_is_reached(seen, corner):
    assert any(corner.holds(problem) for problem in seen)


@pytest.mark.long
def test_each_pair_that_says_something_is_judged(seen):
    judged = [p for p, ended in seen.items() if ended & {Verdict.KEPT, Verdict.BROKEN}]

    had = {(a, values(p)[a], b, values(p)[b]) for p in judged for a, b in combinations(AXES, 2)}
    bits = admitted(WHOLE)
    admits = {pair for pair, bit in places(AXES).items() if bits >> bit & 1}
    missing = set(filter(evident, admits - had))
    assert not missing
    assert not had & impossible().keys()


def test_each_value_is_judged_by_few_laws_already():
    search = Recording(Plan([get("im2col")], laws.find(FEW), replace(WHOLE, macs=2_000)), InProcess())
    search.seen = {}
    search.run()

    judged = [p for p, ended in search.seen.items() if ended & {Verdict.KEPT, Verdict.BROKEN}]
    had = {(axis, value) for p in judged for axis, value in values(p).items()}
    missing = {(axis, value) for axis in AXES for value in AXES[axis]} - had - NOTHING
    assert not missing


# --- wishes ---------------------------------------------------------------------------
def wished(scope, hint, seed=0):
    """The problem that a draw with this wish gives."""
    return follow(scope, hint, Random(seed)).problem


def test_a_row_of_the_covering_array_is_granted_in_all_it_names():
    wrong = []
    for row in rows()[::7]:
        found = features(wished(WHOLE, row))
        wrong += [(row, name) for name, value in row.items() if found[FIELDS.get(name, name)] != value]

    assert not wrong


@pytest.mark.parametrize("corner", [c for c in corners() if c.hint], ids=lambda corner: corner.name)
def test_a_corner_that_is_wished_for_is_reached_soon(corner):
    assert any(corner.holds(wished(WHOLE, corner.hint, seed)) for seed in range(30))


def test_the_file_of_the_covering_array_is_what_is_computed():
    assert FILE.read_text() == text()
    assert rows() == computed()


def test_three_values_that_go_together_stand_together_in_a_row():
    array = [row for row in rows() if row["batch"] != "empty" and not row["empty"]]
    had = {triple for row in array for triple in combinations(sorted(row.items(), key=lambda i: i[0]), 3)}

    drawn = plan(replace(WHOLE, batch=("unbatched", "one", "many"), empty=(False,)), MAX_MACS)
    random = Random(0)
    for _ in range(400):
        found = features(drawn.problem(lambda name, table, axis=0: random.choice(table), 0))
        row = {name: found[FIELDS.get(name, name)] for name in array[0]}
        assert had >= set(combinations(sorted(row.items(), key=lambda i: i[0]), 3))


def test_a_layer_of_a_network_keeps_its_kernel_stride_and_tail():
    seven = next(w for w in layers() if w["kernel"] == [7, 7] and w["stride"] == [2, 2] and w["grouping"] == "one")

    found = wished(WHOLE, seven)

    assert found.spec.kernel == (7, 7)
    assert found.spec.stride == (2, 2)
    assert {axis.tail for axis in axes(found)} == {1}  # as 224 has, padded by 3
    assert found.spec.out_channels > found.spec.in_channels


def test_what_is_wished_for_is_the_same_every_time():
    wgrad = Scope(ops=("wgrad",))

    assert list(block(wgrad, 5, 24, 0.3)) == list(block(wgrad, 5, 24, 0.3))
    assert hints(wgrad, 0.3, 24, Random(5)) != hints(wgrad, 0.8, 24, Random(5))


def test_a_wish_shrinks_as_a_chance_does():
    hint = next(row for row in rows() if row["strided"] and row["grouping"] == "some" and row["op"] == "dgrad")

    drawn = follow(WHOLE, hint, Random(0))

    found = smallest(drawn, lambda p: p.op == "dgrad" and p.spec.groups > 1 and max(p.spec.stride) > 1, "a test")

    assert str(found) == "n1c2k2_x1_r1_s2_p0_d1_g2 dgrad float32 contiguous integers seed=0"


def test_a_replay_reads_nothing_that_other_tests_of_this_process_left():
    class Untouchable:
        def __contains__(self, key):
            raise AssertionError("draws depend on what ran before")

    with patch.object(providers, "CONSTANTS_CACHE", Untouchable(), create=True):
        found = smallest(follow(Scope(), {}, Random(3)), lambda problem: problem.spec.ndim == 1, "a test")

    assert found
