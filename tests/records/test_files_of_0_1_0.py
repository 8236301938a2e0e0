"""Files written on 2026-11-30, before the package was put into folders: they are read, and a seed means the same."""

from __future__ import annotations

import json
from pathlib import Path

from commands import typed

from convlaws.records.finding import Finding
from convlaws.records.run_file import read_records, read_run
from convlaws.records.timing_file import read_times

OLD = Path(__file__).with_name("of_0_1_0")
SAME = ("method", "law", "op", "verdict", "signature", "problem", "drawn", "examples", "within")  # on any machine


def told(path: Path) -> list[dict]:
    """What the findings of a file say of the code under test."""
    records = [json.loads(r.to_line()) for r in read_records(path) if isinstance(r, Finding)]
    return [{name: record[name] for name in SAME} for record in records]


def test_a_findings_file_is_read():
    run = read_run(OLD / "findings.jsonl")

    assert {f.method: sorted({str(g.verdict) for g in run.findings if g.method == f.method}) for f in run.findings} == {
        "im2col": ["kept"],
        "mutant-forgotten-dilation": ["broken"],
    }
    assert run.warnings == []


def test_the_same_seed_gives_what_it_gave(tmp_path):
    new = tmp_path / "findings.jsonl"
    laws = ("--law", "equals-the-definition", "--law", "homogeneous", "--op", "fprop", "--dtype", "float32")

    typed("check", "im2col", "mutant-forgotten-dilation", *laws, "--examples", 20, "--seed", 5, "--workers", 1, "--json", new)

    assert told(new) == told(OLD / "findings.jsonl")


def test_timings_are_read():
    times = read_times(OLD / "timings.jsonl")

    assert {timing.method for timing in times.timings} == {"im2col", "loop-window"}


def test_a_campaign_is_joined_and_its_summary_printed(tmp_path):
    both = tmp_path / "both.jsonl"

    merged = typed("merge", OLD / "campaign", OLD / "findings.jsonl", "-o", both)
    summary = typed("summary", both)

    assert (merged.returncode, summary.returncode) == (0, 0), merged.stderr + summary.stderr
    assert "mutant-forgotten-dilation" in summary.stdout
