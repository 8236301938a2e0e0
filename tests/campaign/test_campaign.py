"""Campaigns: what is planned, from what, and which shard is next."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from campaign_made import plan, record_of

from convlaws.campaign.lane_cache import laid_out, text_of
from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.schedule import OFTEN, Schedule
from convlaws.campaign.stage_totals import Evidence
from convlaws.campaign.stages import ENOUGH, Lane, lanes, sizes, stage
from convlaws.records.finding import CellId


@pytest.fixture(scope="module")
def laid() -> list[Lane]:
    return lanes(plan())


def asked(shards) -> list[CellId]:
    return [CellId(method, law, s.op) for s in shards for law, methods in s.cells for method in methods]


# --- the plan -----------------------------------------------------------------------------
def test_a_plan_is_a_value_that_is_written_and_read_again():
    one = plan(kept=(("im2col", "homogeneous", ("n1c1k1_x1_r1",)),))

    again = CampaignPlan.of(one.to_record())

    assert again == one
    assert again.id == one.id


def test_time_and_part_do_not_change_what_a_campaign_is_about():
    one = plan()

    assert {replace(one, budget=9.0).id, replace(one, part=(2, 4)).id} == {one.id}
    assert replace(one, seed=1).id != one.id
    assert replace(one, part=(2, 4)).run != one.run


def test_an_engine_is_a_lane(laid):
    assert [(lane.name, lane.methods) for lane in laid] == [("convlaws", ("im2col",)), ("torch", ("torch-gemm",))]


def test_a_layout_is_read_as_it_was_made(laid, tmp_path):
    whole = plan(laws=("threads-do-not-matter", "homogeneous"))
    fresh, path = lanes(whole), tmp_path / "lanes.json"
    path.write_text(text_of(whole, fresh))

    assert laid_out(replace(whole, budget=1.0), tmp_path) == fresh
    assert any(lane.refused for lane in fresh)
    assert laid_out(plan(), tmp_path) == laid  # that of another campaign is none
    path.write_text("{")
    assert laid_out(whole, tmp_path) == fresh


# --- stages -------------------------------------------------------------------------------
def test_the_first_stage_asks_every_cell_once(laid):
    for lane in laid:
        first = asked(stage(plan(), lane, 0, Evidence()))

        assert sorted(first) == sorted({key for job in lane.jobs for key in job.ids()})
        assert len(first) == 5


def test_a_stage_is_a_function_of_the_plan_and_the_evidence(laid):
    one, again = (stage(plan(), laid[0], 3, Evidence()) for _ in range(2))
    other = stage(plan(seed=1), laid[0], 3, Evidence())

    assert [s.id for s in one] == [s.id for s in again]
    assert not {s.id for s in one} & {s.id for s in other}
    assert not {s.seed for s in one} & {s.seed for s in other}


@pytest.mark.parametrize("parts", [2, 3, 7])
@pytest.mark.parametrize("examples", [5, 20, 150, 500])
def test_the_parts_of_a_number_of_examples_are_the_whole(laid, parts, examples):
    whole = plan(examples=examples, budget=None)

    def ids(one: CampaignPlan) -> list[str]:
        return [s.id for lane in laid for n in (0, 1, 2) for s in stage(one, lane, n, Evidence())]

    pieces = [i for n in range(parts) for i in ids(replace(whole, part=(n + 1, parts)))]
    assert sorted(pieces) == sorted(ids(whole))
    assert sum(sizes(examples)) == examples


def test_parts_of_a_budget_draw_from_other_seeds(laid):
    seeds = [{s.seed for n in range(3) for s in stage(plan(part=(i, 2)), laid[0], n, Evidence())} for i in (1, 2)]

    assert not seeds[0] & seeds[1]


def seen(lane: Lane, examples: int = 40) -> Evidence:
    evidence = Evidence()
    evidence.examples.update({key: examples for job in lane.jobs for key in job.ids()})
    return evidence


KEY = CellId("im2col", "homogeneous", "fprop")


def rounds(evidence: Evidence, lane: Lane, number: int = 1, **how) -> dict[CellId, int]:
    shards = stage(plan(**how), lane, number, evidence)
    return {key: asked(shards).count(key) for job in lane.jobs for key in job.ids()}


def test_a_cell_with_findings_gets_more_until_they_are_enough(laid):
    few, enough = seen(laid[0]), seen(laid[0])
    few.small[KEY], enough.small[KEY] = 1, ENOUGH

    more = rounds(few, laid[0])
    quiet = stage(plan(), laid[0], 1, enough)

    assert more[KEY] == 3
    assert set(more.values()) == {1, 3}
    assert rounds(enough, laid[0])[KEY] == 1
    assert {pair for s in quiet for pair in s.quiet} == {("homogeneous", "im2col")}


def test_a_cell_that_is_behind_gets_more_and_one_that_is_exhausted_nothing(laid):
    evidence = seen(laid[0])
    evidence.examples[KEY] = 5
    evidence.spent.add(("im2col", "homogeneous", "dgrad"))

    got = rounds(evidence, laid[0])

    assert got[KEY] == 2
    assert got["im2col", "homogeneous", "dgrad"] == 0


def test_an_engine_that_changed_and_what_failed_before_get_more(laid):
    assert set(rounds(seen(laid[1]), laid[1], changed=("torch-gemm",)).values()) == {2}
    assert rounds(seen(laid[0]), laid[0], suspects=(("homogeneous", "im2col"),))[KEY] == 2


def test_stages_grow_so_that_few_wait_for_the_last_shard(laid):
    sizes_ = [len(stage(plan(), laid[0], n, seen(laid[0]))) for n in range(1, 8)]

    assert sizes_ == [2, 4, 8, 16, 32, 64, 64]


def test_kept_lines_are_judged_before_anything_is_drawn(laid):
    entry = ("im2col", "homogeneous", ("n1c1k1_x1_r1",))

    first = [stage(plan(kept=(entry,), part=(part, 2)), laid[0], 0, Evidence()) for part in (1, 2)]

    assert first[0][0].lines == (entry,)
    assert not any(s.lines for s in first[1])


# --- schedule -----------------------------------------------------------------------------
def test_a_fast_engine_is_not_starved_by_a_slow_one(laid):
    schedule, clock = Schedule(plan(), laid), {"convlaws": 0.0, "torch": 0.0}
    costs = {"convlaws": 1.0, "torch": 40.0}
    while sum(clock.values()) < 4000:
        shard = schedule.next()
        schedule.finish(record_of(shard, costs[shard.lane]))
        clock[shard.lane] += costs[shard.lane]

    assert abs(clock["convlaws"] - clock["torch"]) <= 80
    assert schedule.courses["convlaws"].stage > schedule.courses["torch"].stage


@pytest.mark.parametrize("cut", [0, 1, 5, 9, 20])
def test_what_is_done_is_not_given_again_and_the_rest_is_as_it_would_have_been(laid, cut):
    through, done = Schedule(plan(), laid), []
    for _ in range(30):
        shard = through.next()
        done.append(record_of(shard))
        through.finish(done[-1])
    resumed = Schedule(plan(), laid)
    for record in random.Random(0).sample(done[:cut], cut):
        resumed.remember(record)

    again = []
    for _ in range(30 - cut):
        shard = resumed.next()
        again.append(shard.id)
        resumed.finish(record_of(shard))

    assert sorted(again) == sorted(record["shard"] for record in done[cut:])


def fallen(schedule: Schedule, at: int):
    """A worker dies in the next shard, at this case."""
    shard = schedule.next()
    return schedule.fall({"kind": "death", "shard": shard.id, "at": at, "how": "died of SIGKILL"})


def test_a_shard_that_kills_at_the_same_case_twice_is_given_up(laid):
    schedule = Schedule(plan(), [replace(laid[0], jobs=laid[0].jobs[:1])])

    assert fallen(schedule, 7) is None
    crashed = fallen(schedule, 7)

    assert "ended its worker 2 times, at case 7: died of SIGKILL" in crashed["message"]
    schedule.crash(crashed)
    assert schedule.next().id != crashed["shard"]


def test_kills_from_outside_are_no_fault_of_the_shard(laid):
    schedule = Schedule(plan(), [replace(laid[0], jobs=laid[0].jobs[:1])])

    ends = [fallen(schedule, at) for at in [0, 0, 0, *range(1, OFTEN - 3)]]

    assert set(ends) == {None}
    assert fallen(schedule, 99) is not None
