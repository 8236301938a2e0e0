"""Campaigns: what a shard finds, how records are written and add up, and the command."""

from __future__ import annotations

from itertools import permutations

import pytest
from campaign_made import plan, record_of
from click.testing import CliRunner
from findings_made import made

from convlaws.campaign.records import DiskError, RecordFile, Records, read
from convlaws.campaign.run_shard import ShardSearch, judge
from convlaws.campaign.shard import Shard, compact, expanded
from convlaws.campaign.totals import Totals, summed
from convlaws.cli.app import cli
from convlaws.errors import SchemaError, UsageError
from convlaws.known import Ledger
from convlaws.laws import registry as laws
from convlaws.problem.scope import Scope
from convlaws.records.finding import LEAST, SCHEMA, Verdict
from convlaws.sandbox.sandbox import InProcess, Sandbox
from convlaws.search.plan import Plan
from convlaws.targets.registry import get

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
        InProcess(),
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

    record = judge(whole, shard, InProcess(), Ledger([]), lambda event: None, lambda case: False)

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
        return [{k: v for k, v in cell.items() if k not in ("seconds", "after_seconds")} for cell in record["cells"]]

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
    RecordFile(path).close()
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
