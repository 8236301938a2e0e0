"""Several findings files as one: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from click.testing import CliRunner
from commands import typed
from findings_made import LINE, OTHER, made, told, written

from convlaws.cli.app import cli
from convlaws.errors import SchemaError, UsageError
from convlaws.records.finding import Verdict
from convlaws.records.merge import merged
from convlaws.records.runs import lines, shards

HERE = {"environment": "place-1"}


def shard(tmp_path, run: str, *findings, environment: str = "place-1", torch: str = "2.13.0"):
    for f in findings:
        f.run, f.environment = run, environment
    return written(tmp_path / f"{run}-{environment}.jsonl", *findings, summary=told(run, environment, torch))


def test_examples_of_shards_are_added(tmp_path):
    one = made(examples=7, drawn=9, seconds=1.0, vacuous={"zeros": 2}, refused={"big": 1}, error_histogram=[1, 2])
    other = made(examples=8, drawn=8, seconds=0.5, vacuous={"zeros": 1, "ones": 1}, error_histogram=[1, 0, 4], worst_ratio=0.5)

    run = merged([shard(tmp_path, "a", one), shard(tmp_path, "b", other)])

    [f] = run.findings
    assert (f.examples, f.drawn, f.seconds, f.worst_ratio) == (15, 17, 1.5, 0.5)
    assert (f.vacuous, f.refused, f.error_histogram) == ({"zeros": 3, "ones": 1}, {"big": 1}, [2, 2, 4])
    assert [s["run"] for s in run.summaries] == ["a", "b"]
    assert run.notes == []


def test_the_same_run_counts_once_however_often_it_is_given(tmp_path):
    first = shard(tmp_path, "a", made(examples=7, drawn=9))
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(first.read_bytes())

    run = merged([first, copy, first])

    assert [f.examples for f in run.findings] == [7]
    assert len(run.summaries) == 1


def test_of_a_run_that_was_started_again_what_got_further_counts(tmp_path):
    early = written(tmp_path / "early.jsonl", made(examples=5, drawn=5, run="a", **HERE), summary=told("a", unfinished=True))
    late = written(tmp_path / "late.jsonl", made(examples=40, drawn=41, run="a", **HERE), summary=told("a", unfinished=False))

    for paths in permutations([early, late]):
        run = merged(paths)
        assert [f.examples for f in run.findings] == [40]
        assert [s["unfinished"] for s in run.summaries] == [False]


def test_a_failure_of_one_copy_of_a_run_is_never_hidden_by_the_other(tmp_path):
    kept = written(tmp_path / "kept.jsonl", made(drawn=90, run="a", **HERE), summary=told("a"))
    broken = written(tmp_path / "broken.jsonl", made(Verdict.BROKEN, drawn=10, run="a", **HERE), summary=told("a"))

    for paths in permutations([kept, broken]):
        assert [f.verdict for f in merged(paths).findings] == [Verdict.BROKEN]


def test_a_failure_that_was_made_small_later_is_one_failure(tmp_path):
    large = written(
        tmp_path / "p.jsonl", made(Verdict.BROKEN, problem=OTHER, drawn=10, run="a"), summary=told("a", unfinished=True)
    )
    small = written(tmp_path / "f.jsonl", made(Verdict.BROKEN, problem=LINE, drawn=20, run="a"), summary=told("a"))

    for paths in permutations([large, small]):
        assert [f.problem for f in merged(paths).findings] == [LINE]


def test_the_same_failure_of_two_shards_is_one_and_another_is_another(tmp_path):
    a = shard(
        tmp_path, "a", made(Verdict.BROKEN, examples=3), made(Verdict.CRASHED, examples=3, signature="SIGSEGV", problem=OTHER)
    )
    b = shard(tmp_path, "b", made(Verdict.BROKEN, examples=4, known="torch#1", flaky="2/3"))

    found = merged([a, b]).findings

    assert [(f.verdict, f.examples) for f in found] == [(Verdict.BROKEN, 7), (Verdict.CRASHED, 7)]
    assert (found[0].known, found[0].flaky) == ("", "2/3")


@pytest.mark.parametrize(
    ("verdicts", "examples", "together"),
    [
        ((Verdict.VACUOUS, Verdict.VACUOUS), (12, 12), Verdict.KEPT),
        ((Verdict.VACUOUS, Verdict.VACUOUS), (2, 3), Verdict.VACUOUS),
        ((Verdict.REFUSED, Verdict.REFUSED), (0, 0), Verdict.REFUSED),
        ((Verdict.REFUSED, Verdict.VACUOUS), (0, 3), Verdict.VACUOUS),
        ((Verdict.KEPT, Verdict.BROKEN), (30, 1), Verdict.BROKEN),
        ((Verdict.KEPT, Verdict.VACUOUS), (2, 0), Verdict.KEPT),  # of a file of problems one is enough
    ],
)
def test_what_shards_are_together(verdicts, examples, together, tmp_path):
    rows = [made(v, examples=n, drawn=n + 1, message="why") for v, n in zip(verdicts, examples, strict=True)]

    [f] = merged([shard(tmp_path, f"run{n}", row) for n, row in enumerate(rows)]).findings

    assert f.verdict is together
    assert f.examples == sum(examples)
    if together is Verdict.VACUOUS:
        assert f.message == f"too few: {sum(examples)} of at least 20 judged examples"


def test_two_environments_are_not_added_and_can_be_told_apart(tmp_path):
    a = shard(tmp_path, "a", made(examples=30), environment="one", torch="2.12.0")
    b = shard(tmp_path, "b", made(Verdict.BROKEN, examples=40), environment="two", torch="2.13.0")

    run = merged([a, b])

    assert [(f.examples, f.environment) for f in run.findings] == [(30, "one"), (40, "two")]
    assert [f.method for f in run.apart()] == ["m (torch 2.12.0)", "m (torch 2.13.0)"]


def test_one_environment_needs_no_words(tmp_path):
    run = merged([shard(tmp_path, "a", made()), shard(tmp_path, "b", made())])

    assert [f.method for f in run.apart()] == ["m"]


def test_merging_what_was_merged_is_merging_it_all_at_once(tmp_path):
    a = shard(tmp_path, "a", made(Verdict.BROKEN), made(law="law-b", examples=3))
    b = shard(tmp_path, "b", made(), made(law="law-b", examples=4))
    killed = written(tmp_path / "c.jsonl", made(law="law-b", examples=5, run="c", **HERE))
    old = written(tmp_path / "old.jsonl", made(method="old"), summary={"environment": {"cpu": "x"}, "seed": 0})
    at_once = merged([a, b, killed, old])

    both = tmp_path / "both.jsonl"
    both.write_text("".join(f"{line}\n" for line in lines(shards([b, killed, a, old])[0])))
    again = merged([both, a, killed])

    by_id = {(f.id, f.environment): f for f in at_once.findings}
    assert {(f.id, f.environment): (f.examples, f.run) for f in again.findings} == {
        k: (f.examples, f.run) for k, f in by_id.items()
    }
    assert len(again.summaries) == len(at_once.summaries) == 3


def test_files_of_before_there_were_ids_are_runs_by_their_content(tmp_path):
    facts = {"environment": {"cpu": "x", "versions": {}}, "seed": 0}
    a = written(tmp_path / "a.jsonl", made(examples=5), summary=facts)
    b = written(tmp_path / "b.jsonl", made(examples=6), summary=facts)
    (tmp_path / "a2.jsonl").write_bytes(a.read_bytes())
    (tmp_path / "ab.jsonl").write_bytes(a.read_bytes() + b.read_bytes())

    for paths in ([a, b], [a, b, tmp_path / "a2.jsonl"], [tmp_path / "ab.jsonl"], [tmp_path / "ab.jsonl", b]):
        assert [f.examples for f in merged(paths).findings] == [11]


def test_an_empty_file_and_a_killed_run_are_said_in_words(tmp_path):
    empty = written(tmp_path / "empty.jsonl")
    killed = written(tmp_path / "killed.jsonl", made(Verdict.BROKEN))

    run = merged([empty, killed])

    assert [f.verdict for f in run.findings] == [Verdict.BROKEN]
    assert run.summaries == []
    assert run.notes == [
        f"{empty} is empty: the run that wrote it was ended before it had found anything",
        f"{killed}: a run was ended before it was done; what it had found until then is here",
    ]


BAD = {
    "no json": "{",
    "half a line": made().to_line()[:50],
    "nan": made().to_line().replace('"seconds": 0.0', '"seconds": NaN'),
    "infinity": made().to_line().replace('"seconds": 0.0', '"seconds": 1e999'),
    "text for a number": made().to_line().replace('"examples": 30', '"examples": "30"'),
    "a list for a table": made().to_line().replace('"vacuous": {}', '"vacuous": []'),
    "another schema": made().to_line().replace('"schema": 1', '"schema": 7'),
    "another kind": '{"kind": "sermon", "schema": 1}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_bad_line_is_an_error_with_file_and_number(text, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text(f"{made().to_line()}\n\n{text}\n")

    with pytest.raises(SchemaError) as caught:
        merged([path])

    assert str(caught.value).startswith(f"{path}:3: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_bytes_that_are_no_text_are_a_bad_line(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"\xff\xfe\n")

    with pytest.raises(SchemaError, match=r"bad.jsonl:1: .*utf-8"):
        merged([path])


def test_a_file_that_is_not_there_is_an_error():
    with pytest.raises(UsageError, match=r"/nowhere/a\.jsonl cannot be read: No such file"):
        merged(["/nowhere/a.jsonl"])


# --- the command ----------------------------------------------------------------------------
def test_the_command_writes_a_file_that_merges_again(tmp_path):
    a = shard(tmp_path, "a", made(examples=3))
    b = shard(tmp_path, "b", made(examples=4))
    out = tmp_path / "out.jsonl"

    done = typed("merge", a, b, a, "-o", out)

    assert (done.returncode, done.stdout) == (0, "2 findings of 2 runs in 1 environment\n")
    assert [f.examples for f in merged([out, b]).findings] == [7]
    assert not list(tmp_path.glob("*.part*"))


def test_the_command_may_write_over_one_of_its_files(tmp_path):
    a, b = shard(tmp_path, "a", made(examples=3)), shard(tmp_path, "b", made(examples=4))

    done = typed("merge", a, b, "-o", a)

    assert done.returncode == 0
    assert [f.examples for f in merged([a]).findings] == [7]


def test_a_bad_line_ends_the_command_with_2_and_leaves_the_old_file(tmp_path):
    bad, out = tmp_path / "bad.jsonl", tmp_path / "out.jsonl"
    bad.write_text("nonsense\n")
    out.write_text("old")

    done = typed("merge", bad, "-o", out)

    assert done.returncode == 2
    assert done.stderr.startswith(f"convlaws: {bad}:1: no JSON")
    assert done.stderr.count("\n") == 1
    assert out.read_text() == "old"


def test_real_shards_are_added_and_a_shard_that_ran_again_is_not(tmp_path):
    words = ("check", "im2col", "mutant-forgotten-dilation", "--law", "equals-the-definition", "--op", "fprop", "--workers", "1")
    files = {}
    for name, seed, examples in (("a", 1, 20), ("again", 1, 30), ("b", 2, 25)):
        files[name] = tmp_path / f"{name}.jsonl"
        typed(*words, "--seed", seed, "--examples", examples, "--json", files[name])
    alone = {n: {f.method: f.examples for f in merged([path]).findings} for n, path in files.items()}

    together = merged(files.values())

    assert {s["run"] for s in together.summaries} == {json.loads(files[n].read_text().splitlines()[-1])["run"] for n in "ab"}
    assert len(together.summaries) == 2
    for f in together.findings:
        assert f.examples == alone["again"][f.method] + alone["b"][f.method]
    assert {f.method for f in together.findings if f.verdict.bad} == {"mutant-forgotten-dilation"}


def test_merging_files_without_a_record_writes_a_file_without_one(tmp_path):
    (tmp_path / "empty.jsonl").touch()

    done = CliRunner().invoke(cli, ["merge", str(tmp_path / "empty.jsonl"), "-o", str(tmp_path / "out.jsonl")])

    assert done.exit_code == 0, done.output
    assert (tmp_path / "out.jsonl").read_text() == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.jsonl", "out.jsonl"]
