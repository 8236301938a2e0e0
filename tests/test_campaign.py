"""Campaigns: what is planned, from what; which shard is next; what its record holds; how records add up."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations

import pytest
from click.testing import CliRunner
from findings_made import made

from convlaws.campaign.evidence import Evidence
from convlaws.campaign.judging import ShardSearch, judge
from convlaws.campaign.layout import laid_out, text_of
from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.records import Appended, DiskError, Records, read
from convlaws.campaign.schedule import OFTEN, Schedule
from convlaws.campaign.shard import Shard, compact, expanded
from convlaws.campaign.stages import ENOUGH, Lane, lanes, sizes, stage
from convlaws.campaign.totals import Totals, summed
from convlaws.cli import cli
from convlaws.errors import SchemaError, UsageError
from convlaws.known import Ledger
from convlaws.laws import registry as laws
from convlaws.methods.registry import get
from convlaws.plan import Plan
from convlaws.results import LEAST, SCHEMA, Verdict
from convlaws.sandbox.client import Bare, Sandbox
from convlaws.scope import Scope


def plan(**how) -> CampaignPlan:
    return CampaignPlan(**{
        "methods": ("im2col", "torch-gemm"), "laws": ("homogeneous", "additive-in-x", "equals-the-definition"),
        "narrowed": {"ops": ("fprop", "dgrad")}, "calling": {"signature": "", "arrays": "", "contract": "", "known_as": ""},
        "seed": 0, "examples": None, "budget": 60.0, "part": (1, 1), "sandbox": True, "time_limit": 20.0,
        "memory_limit": 4 << 30, "threads": 1, "versions": {}, **how,
    })  # fmt: skip


@pytest.fixture(scope="module")
def laid() -> list[Lane]:
    return lanes(plan())


def asked(shards) -> list[tuple[str, str, str]]:
    return [(law, method, s.op) for s in shards for law, methods in s.cells for method in methods]


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

        assert sorted(first) == sorted({key for job in lane.jobs for key in job.triples()})
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
    evidence.examples.update({key: examples for job in lane.jobs for key in job.triples()})
    return evidence


KEY = ("homogeneous", "im2col", "fprop")


def rounds(evidence: Evidence, lane: Lane, number: int = 1, **how) -> dict[tuple[str, str, str], int]:
    shards = stage(plan(**how), lane, number, evidence)
    return {key: asked(shards).count(key) for job in lane.jobs for key in job.triples()}


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
    evidence.spent.add(("homogeneous", "im2col", "dgrad"))

    got = rounds(evidence, laid[0])

    assert got[KEY] == 2
    assert got["homogeneous", "im2col", "dgrad"] == 0


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
def record_of(shard: Shard, seconds: float = 1.0, **more) -> dict:
    told = {"kind": "shard", "shard": shard.id, "lane": shard.lane, "stage": shard.stage, "op": shard.op, "seed": shard.seed}
    cells = [{"law": w, "method": m, "op": shard.op, "verdict": "kept", "examples": shard.examples} for w, m in shard.pairs]
    return {**told, "seconds": seconds, "complete": True, "judged": 9, "cells": cells, "spent": [], "coverage": {}, **more}


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


# --- shards -------------------------------------------------------------------------------
NO = (False,)
POINTS = Scope(
    ops=("fprop",), macs=1, fills=("onehot",), dtypes=("float32",), layouts=("contiguous",), ndim=(1,), batch=("one",),
    transposed=NO, bias=NO, padding=("none",), padding_mode=("zeros",), output_padding=NO, grouping=("one",), strided=NO,
    dilated=NO,
)  # fmt: skip


def test_a_shard_judges_no_problem_twice():
    drawn = []
    search = ShardSearch(
        Plan([get("im2col")], laws.find(["homogeneous"]), POINTS, 0, None, 300),
        Bare(),
        Ledger([]),
        lambda event: None,
        drawn.append,
        set(),
    )

    found = search.run()

    assert found[0].drawn == len(drawn) == len(search.met) >= 300


def test_a_law_of_which_draws_tell_nothing_more_is_spent():
    whole = plan(methods=("im2col",), laws=("equals-the-definition",), narrowed={"ops": ("fprop",), "batch": ("empty",)})
    shard = shard_of("im2col", "equals-the-definition", 0)

    record = judge(whole, shard, Bare(), Ledger([]), lambda event: None, lambda case: False)

    assert record["complete"]
    assert record["spent"] == [["equals-the-definition", "im2col"]]
    assert record["judged"] >= 3


def shard_of(method: str, law: str, seed: int) -> Shard:
    return Shard(campaign="", lane="convlaws", stage=0, seed=seed, examples=20, op="fprop", cells=((law, (method,)),))


def test_what_ran_before_a_shard_does_not_matter():
    whole = plan(methods=("mutant-stale-cache",), laws=("additive-in-w",), narrowed={"dtypes": ("float32",)})
    one, other = (shard_of("mutant-stale-cache", "additive-in-w", seed) for seed in (1, 2))

    def judged(box, shard):
        record = judge(whole, shard, box, Ledger([]), lambda event: None, lambda case: False)
        return [{k: v for k, v in cell.items() if k != "seconds"} for cell in record["cells"]]

    with Sandbox() as box:
        alone, _, after = judged(box, one), judged(box, other), judged(box, one)

    assert alone == after
    assert any(cell["verdict"] == "broken" for cell in alone)


def test_a_record_is_smaller_than_its_finding_and_is_made_whole_again():
    finding = made(examples=30, error_histogram=[1, 2, *[0] * 22], terms_histogram=[0] * 24)
    told = {finding.law: {"says": finding.says, "family": finding.family, "specific": finding.specific}}

    again = expanded(compact(finding), told)

    assert again == finding
    assert "says" not in compact(finding)


# --- totals -------------------------------------------------------------------------------
HEADER = {"environment": {"id": "here"}, "laws": {}}


def record_with(*findings, seed: int) -> dict:
    shard = Shard(campaign="", lane="convlaws", stage=0, seed=seed, examples=20, op="fprop")
    return record_of(shard, cells=[compact(f) for f in findings])


def test_the_order_in_which_shards_come_back_does_not_matter():
    lines = ("n1c1k1_x1_r1_s1_p0_d2_g1", "n1c1k1_x3_r2_s1_p0_d2_g1", "n1c2k2_x1_r1_s1_p0_d1_g2")
    broken = [
        made(verdict=Verdict.BROKEN, problem=f"{line} fprop float32 contiguous integers seed=0", signature="value", examples=9)
        for line in lines
    ]
    some = [record_with(f, seed=n) for n, f in enumerate([*broken, made(verdict=Verdict.KEPT, examples=40)])]

    found = []
    for order in permutations(some):
        totals = Totals()
        for record in order:
            totals.add(record, HEADER)
        found.append([f.to_line() for f in totals.findings("here", {})])

    assert len({tuple(lines) for lines in found}) == 1
    assert len(found[0]) == 2  # the dilated ones show the same, the grouped one another mistake
    assert totals.findings("here", {})[0].examples == 67


def test_a_failure_of_an_attempt_that_was_cut_off_counts_unless_a_whole_shard_shows_it():
    broken = made(verdict=Verdict.BROKEN, signature="value")
    alone, covered = Totals(), Totals()
    for totals in (alone, covered):
        totals.note([broken], HEADER)
    covered.add(record_with(broken, seed=1), HEADER)

    assert [f.verdict for f in alone.findings("here", {})] == [Verdict.BROKEN]
    assert len(covered.findings("here", {})) == 1


def test_too_few_examples_of_a_shard_are_enough_of_many():
    few = made(verdict=Verdict.VACUOUS, message="too few", examples=LEAST // 2)
    totals = Totals()
    for seed in (1, 2):
        totals.add(record_with(few, seed=seed), HEADER)

    assert [(f.verdict, f.message) for f in totals.findings("here", {})] == [(Verdict.KEPT, "")]


def test_coverage_is_added_up():
    one, other = {"m": {"problems": 2, "pairs": "5", "v": {"a": 1}}}, {"m": {"problems": 3, "pairs": "6", "v": {"b": 4}}}

    assert summed(one, other) == {"m": {"problems": 5, "pairs": "7", "v": {"a": 1, "b": 4}}}


# --- records ------------------------------------------------------------------------------
def test_only_the_end_of_a_file_may_be_broken(tmp_path):
    path = tmp_path / "records" / "worker-0.jsonl"
    path.parent.mkdir()
    line = f'{{"schema": {SCHEMA}, "kind": "death", "shard": "a"}}\n'
    path.write_text(f'{line}{line}{{"schema": {SCHEMA}, "ki')

    assert len(list(read(tmp_path))) == 2
    Appended(path).close()
    assert path.read_text() == line * 2

    path.write_text(f"{line}no\n{line}")
    with pytest.raises(SchemaError, match=r"worker-0.jsonl:2: no JSON"):
        list(read(tmp_path))


def test_two_campaigns_do_not_write_to_one_folder(tmp_path):
    first = Records(tmp_path)

    with pytest.raises(UsageError, match="another campaign is at work in"):
        Records(tmp_path)
    first.close()
    Records(tmp_path).close()


def test_a_full_disk_leaves_whole_lines(tmp_path):
    records = Records(tmp_path)
    records.append("worker-0", {"kind": "death", "shard": ""})
    records.files["worker-0"].fd = -1  # no place to write to

    with pytest.raises(DiskError, match="cannot be written to any more"):
        records.append("worker-0", {"kind": "death", "shard": ""})


# --- the command --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name what is to be judged"),
        (("im2cool",), "no method or engine 'im2cool'"),
        (("im2col", "--budget", "1m", "--examples", "3"), "--budget and --examples exclude each other"),
        (("im2col", "--budget", "soon"), "'soon' is no time: write 90s, 30m, 2h or 7d"),
        (("im2col", "--shard", "5/4"), "'5/4' is no part"),
        (("im2col", "--examples", "1"), "a campaign needs a folder"),
        (("--resume", "/nowhere"), "/nowhere holds no campaign"),
        (("im2col", "--resume", "/nowhere"), "im2col cannot be said anew"),
        (("--resume", "/nowhere", "--seed", "3"), "--seed cannot be said anew"),
        (("im2col", "--examples", "1", "-o", "/proc/none"), "/proc/none"),
        (("im2col", "--dask", "local", "--observations", "-o", "x"), "with --dask that is elsewhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_input_is_a_line(words, said):
    done = CliRunner().invoke(cli, ["campaign", *words])

    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_plan_is_printed_and_nothing_is_judged(tmp_path):
    words = ("im2col", "--law", "homogeneous", "--op", "fprop", "--budget", "2h", "--plan", "-o", str(tmp_path / "run"))

    done = CliRunner().invoke(cli, ["campaign", *words])

    assert done.exit_code == 0, done.output
    assert '"budget": 7200.0' in done.output
    assert not (tmp_path / "run").exists()
