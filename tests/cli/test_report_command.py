"""`convlaws report`: several files, an earlier one, asv's results; a bad file is one line."""

from __future__ import annotations

import json
import subprocess

import pytest
from commands import typed
from many_findings import finding

from convlaws.errors import UsageError
from convlaws.records.finding import Finding, Verdict
from convlaws.reports.page.speed import read_speed


# --- speed -----------------------------------------------------------------------------
def result(folder, commit, date, times, low=0.99, high=1.01, version="1"):
    """A result file as asv 0.6 writes it."""
    entry = [
        times,
        [["'im2col'", "'fft'"]],
        version,
        0,
        1.0,
        [low * t if t else t for t in times],
        [high * t if t else t for t in times],
    ]
    columns = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b"]
    record = {"commit_hash": commit * 40, "date": date, "params": {"machine": "here"}, "result_columns": columns}
    (folder / "here").mkdir(exist_ok=True)
    (folder / "here" / f"{commit}.json").write_text(
        json.dumps({**record, "results": {"b.time_conv": entry, "b.time_none": None}})
    )
    about = {"b.time_conv": {"param_names": ["method"], "unit": "seconds", "version": "1"}, "version": 2}
    (folder / "benchmarks.json").write_text(json.dumps(about))


def test_a_step_is_a_regression_and_noise_is_none(tmp_path):
    for i, commit in enumerate("abcd"):
        result(tmp_path, commit, i, [1e-3, 2e-3])
    result(tmp_path, "e", 9, [1.2e-3, 2.02e-3])

    speed = read_speed(tmp_path)

    assert [(s.name, s.latest, s.change, s.regressed) for s in speed.series] == [
        ("b.time_conv(im2col)", "1.2 ms", "+20 %", True),
        ("b.time_conv(fft)", "2.02 ms", "+1 %", False),
    ]
    assert speed.relative == [("b.time_conv on here", [("im2col", "1.00"), ("fft", "1.68")])]


def test_a_step_within_its_uncertainty_is_no_regression(tmp_path):
    for i, commit in enumerate("abcde"):
        result(tmp_path, commit, i, [1e-3 * (1.2 if commit == "e" else 1), None], low=float("-inf"), high=float("inf"))

    assert [(s.regressed, s.unsure) for s in read_speed(tmp_path).series] == [(False, True)]


def test_times_of_another_version_of_a_benchmark_are_left_out(tmp_path):
    result(tmp_path, "a", 0, [1e-6, 1e-6], version="0")
    result(tmp_path, "b", 1, [1e-3, 1e-3])

    assert [len(s.points) for s in read_speed(tmp_path).series] == [1, 1]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"results": {"a": [[1]]}}', '{"results": 3}'])
def test_what_is_no_result_of_asv_is_an_error_in_a_sentence(tmp_path, text):
    file = tmp_path / "x.json"
    file.write_text(text)

    with pytest.raises(UsageError, match="asv"):
        read_speed(file)


# --- the command ---------------------------------------------------------------------------
def report(*words) -> subprocess.CompletedProcess:
    return typed("report", *words)


def test_the_command_writes_a_page_of_several_files_and_says_what_changed(tmp_path):
    one, two, old, out = (tmp_path / name for name in ("1.jsonl", "2.jsonl", "old.jsonl", "new/page.html"))
    one.write_text(finding(Verdict.KEPT, method="one").to_line() + "\n")
    two.write_text(finding(method="two").to_line() + "\n")
    old.write_text(finding(Verdict.KEPT, method="two").to_line() + "\n")

    done = report(one, two, "--since", old, "-o", out)

    assert done.returncode == 0, done.stderr
    html = out.read_text()
    assert "1 new failure in 1 of 2 methods: two." in html
    assert "Since the earlier file: 1 new failure, 0 failures gone" in html
    assert "not in this file" in html


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "cannot be read"), ("no json\n", "no JSON"), (Finding.to_line(finding()).replace('"broken"', '"odd"'), "odd")],
)
def test_a_bad_file_is_one_line_on_stderr(tmp_path, text, says):
    file = tmp_path / "f.jsonl"
    if text is not None:
        file.write_text(text)

    done = report(file, "-o", tmp_path / "p.html")

    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "p.html").exists()


def test_a_page_that_cannot_be_written_is_one_line_on_stderr(tmp_path):
    file = tmp_path / "f.jsonl"
    file.write_text(finding().to_line() + "\n")

    done = report(file, "-o", file / "p.html")

    assert done.returncode == 2
    assert done.stderr.startswith("convlaws: cannot write")
