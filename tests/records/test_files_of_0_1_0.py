"""Files written on 2026-11-30, before the package was put into folders: they are read, and a seed means the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import typed

from convlaws.records.finding import Finding
from convlaws.records.run_file import read_records, read_run
from convlaws.records.timing_file import read_times
from convlaws.strategies.blocks import DRAW

OLD = Path(__file__).with_name("of_0_1_0")
SAME = ("method", "law", "op", "verdict", "signature", "problem", "drawn", "examples", "within")  # on any machine
FAILED = ("method", "law", "op", "verdict", "signature")  # whatever a seed draws


def told(path: Path, names: tuple[str, ...] = SAME) -> list[dict]:
    """What the findings of a file say of the code under test."""
    records = [json.loads(r.to_line()) for r in read_records(path) if isinstance(r, Finding)]
    return [{name: record[name] for name in names} for record in records]


def test_a_findings_file_is_read():
    run = read_run(OLD / "findings.jsonl")

    assert {f.method: sorted({str(g.verdict) for g in run.findings if g.method == f.method}) for f in run.findings} == {
        "im2col": ["kept"],
        "mutant-forgotten-dilation": ["broken"],
    }
    assert run.warnings == []


@pytest.fixture(scope="module")
def again(tmp_path_factory) -> Path:
    """The findings of the command that wrote the old file, run now."""
    new = tmp_path_factory.mktemp("again") / "findings.jsonl"
    laws = ("--law", "equals-the-definition", "--law", "homogeneous", "--op", "fprop", "--dtype", "float32")

    typed("check", "im2col", "mutant-forgotten-dilation", *laws, "--examples", 20, "--seed", 5, "--workers", 1, "--json", new)
    return new


def test_what_a_seed_draws_has_a_version(again):
    assert (read_run(OLD / "findings.jsonl").summary.get("draw"), read_run(again).summary["draw"]) == (None, DRAW)


def test_the_laws_that_failed_fail_in_the_same_way(again):
    assert told(again, FAILED) == told(OLD / "findings.jsonl", FAILED)


def test_the_same_seed_gives_what_it_gave(again):
    assert told(again) == told(OLD / "draw_2.jsonl")


def test_the_lines_of_old_failures_still_fail():
    for finding in read_run(OLD / "findings.jsonl").findings:
        if finding.verdict.bad:
            assert typed("repeat", finding.problem, finding.method, "--law", finding.law).returncode == 1


def test_timings_are_read():
    times = read_times(OLD / "timings.jsonl")

    assert {timing.method for timing in times.timings} == {"im2col", "loop-window"}


def test_a_campaign_is_joined_and_its_summary_printed(tmp_path):
    both = tmp_path / "both.jsonl"

    merged = typed("merge", OLD / "campaign", OLD / "findings.jsonl", "-o", both)
    summary = typed("summary", both)

    assert (merged.returncode, summary.returncode) == (0, 0), merged.stderr + summary.stderr
    assert "mutant-forgotten-dilation" in summary.stdout
