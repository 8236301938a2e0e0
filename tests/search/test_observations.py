"""Observations: what Hypothesis says of each draw, as JSON lines that Tyche reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import typed
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.internal import observability

from convlaws.errors import UsageError
from convlaws.laws import registry as laws
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.sandbox.sandbox import InProcess
from convlaws.sandbox.settings import Setting
from convlaws.search.observations import MOST_FILES, Rotating, plain, recording
from convlaws.search.parallel import search
from convlaws.search.plan import Plan
from convlaws.targets.registry import find

COMMAND = (sys.executable, "-m", "convlaws")


def strict(text: str) -> list[dict]:
    """Lines as a strict parser reads them: no NaN, no Infinity."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> dict[str, list[dict]]:
    """The records of a real run of two workers, by worker."""
    folder = tmp_path_factory.mktemp("observed")
    words = ("check", "im2col", "mutant-forgotten-dilation", "--law", "equals-the-definition", "--law", "homogeneous")
    more = ("--op", "fprop", "--dtype", "float32", "--examples", "20", "--workers", "2", "--observations", folder)

    done = subprocess.run([*COMMAND, *words, *map(str, more)], capture_output=True, text=True, check=False)

    assert done.returncode == 1, done.stderr
    return {path.name: strict(path.read_text()) for path in folder.iterdir()}


def cases(records) -> list[dict]:
    return [r for rows in records.values() for r in rows if r["type"] == "test_case"]


def test_each_worker_has_a_file_of_its_own(records):
    assert sorted(records) == ["worker-0.jsonl", "worker-1.jsonl"]
    assert all(len({r["metadata"]["os.getpid()"] for r in cases({n: rows})}) == 1 for n, rows in records.items())


def test_a_record_has_all_that_hypothesis_says(records):
    wanted = {"type", "status", "status_reason", "representation", "arguments", "how_generated", "features", "coverage", "timing",
              "metadata", "property", "run_start"}  # fmt: skip

    assert len(cases(records)) > 40
    assert all(set(r) == wanted for r in cases(records))
    assert all(r["coverage"] is None for r in cases(records))
    assert all({"traceback", "predicates", "phase", "sys.argv"} <= set(r["metadata"]) for r in cases(records))
    assert {r["title"] for rows in records.values() for r in rows if r["type"] == "info"} == {"Hypothesis Statistics"}


def test_the_property_is_the_job_and_the_argument_a_line(records):
    drawn = [r for r in cases(records) if r["arguments"]]

    assert len(drawn) > 40
    for record in drawn:
        assert str(Problem.parse(record["arguments"]["problem"])) == record["arguments"]["problem"] == record["representation"]
        assert record["features"]["op"] == "fprop"
        assert record["features"]["dtype"] == "float32"
    assert {r["property"] for r in drawn} >= {
        "equals-the-definition (fprop)",
        "equals-the-definition (fprop): shrinking mutant-forgotten-dilation",
    }


def test_a_draw_is_failed_where_a_law_was_broken_on_it_and_only_there(records):
    drawn = [r for r in cases(records) if "shrinking" not in r["property"]]
    judged = [r for r in drawn if any(" equals-the-definition" in k for k in r["features"])]

    assert {r["status"] for r in judged} == {"passed", "failed"}
    for record in judged:
        broken = [k for k, v in record["features"].items() if v in ("broken", "crashed", "hung")]
        assert (record["status"] == "failed") == bool(broken), record
        assert all(name.split()[0] in record["status_reason"] for name in broken)


def test_shrinking_is_recorded_as_such(records):
    shrunk = [r for r in cases(records) if r["metadata"]["phase"] == "shrink"]

    assert {r["status"] for r in shrunk} >= {"passed", "failed"}
    assert all(": shrinking mutant-forgotten-dilation" in r["property"] for r in shrunk)


def test_a_run_draws_the_same_whether_it_is_observed_or_not(tmp_path):
    plan = Plan(find(["im2col", "mutant-wrong-dtype"]), laws.find(["homogeneous"]), Scope(ops=("fprop",)), seed=4)

    plain_run, observed = (
        search(plan, Setting(sandbox=False, observations=folder), 1, lambda event: None, InProcess())
        for folder in (None, tmp_path)
    )

    assert [(f.id, f.examples, f.problem) for f in observed] == [(f.id, f.examples, f.problem) for f in plain_run]
    assert strict((tmp_path / "worker-0.jsonl").read_text())


def test_afterwards_hypothesis_is_as_it_was(tmp_path):
    before = observability.OBSERVABILITY_COLLECT_COVERAGE

    with recording(tmp_path, 0):
        within = observability.observability_enabled(), observability.OBSERVABILITY_COLLECT_COVERAGE

    assert within == (True, False)
    assert observability.OBSERVABILITY_COLLECT_COVERAGE is before
    assert not observability.observability_enabled()


def test_numbers_that_json_lacks_become_texts(tmp_path):
    with recording(tmp_path, 7):

        @settings(max_examples=20, database=None, derandomize=True)
        @given(st.sampled_from([float("nan"), float("inf"), 1.0]))
        def somebody_elses(x):
            pass

        somebody_elses()

    seen = [r["arguments"] for r in strict((tmp_path / "worker-7.jsonl").read_text()) if r["type"] == "test_case"]
    assert seen == [{}] * len(seen)
    assert plain({"a": [float("nan"), float("-inf"), 1.5, {2: "x" * 5000}]})["a"][:3] == ["nan", "-inf", 1.5]
    assert len(plain("x" * 10**6)) < 5000


def test_the_files_of_a_worker_are_bounded_and_the_newest_stay(tmp_path):
    out = Rotating(tmp_path, 3, most=1000)

    for number in range(500):
        out.write({"number": number, "text": "x" * 50})
    out.close()

    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sorted(sizes) == ["worker-3.1.jsonl", "worker-3.2.jsonl", "worker-3.3.jsonl", "worker-3.jsonl"]
    assert len(sizes) == MOST_FILES
    assert max(sizes.values()) <= 1000
    numbers = [r["number"] for age in (".3", ".2", ".1", "") for r in strict((tmp_path / f"worker-3{age}.jsonl").read_text())]
    assert numbers == list(range(numbers[0], 500))


def test_a_folder_that_cannot_be_is_refused_in_a_line(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="cannot write to"):
        Rotating(tmp_path / "file" / "deeper", 0)


def test_given_problems_are_not_drawn(tmp_path):
    lines = Path(tmp_path / "lines.txt")
    lines.write_text("n1c1k1_x5_r3\n")

    done = typed("check", "im2col", "--problems", lines, "--observations", tmp_path / "o")

    assert done.returncode == 2
    assert "with --problems nothing is drawn" in done.stderr
