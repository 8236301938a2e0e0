"""What the benchmarks make of their numbers: peaks, exponents, values that asv saved, tables in a page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks is a folder of the checkout, not of the package

from benchmarks import growth, peak, study_table  # noqa: E402
from benchmarks.regression_study import marks  # noqa: E402
from benchmarks.saved import saved  # noqa: E402


def test_the_peak_is_that_of_the_call_alone():
    size = 40 << 20
    before = np.ones(size // 8)  # what was there before is not counted

    found = peak.peak_bytes(lambda: before + 1)

    assert 0.98 * size <= found < 1.2 * size  # the kernel counts to some 64 pages a core


def test_the_peak_sees_what_is_freed_before_the_call_returns():
    def call():
        np.ones(30 << 17)
        np.ones(30 << 17)

    assert 29 << 20 <= peak.peak_bytes(call) < 45 << 20


def test_what_numpy_allocates_is_counted_to_the_byte_and_nothing_from_before():
    before = np.ones(1000)

    found = peak.allocated_bytes(lambda: before[:100] + 1)

    assert 800 <= found < 2000  # and the objects themselves


def test_an_exponent_is_the_slope_with_an_interval_that_holds_it():
    rng = np.random.default_rng(0)
    sizes = 2.0 ** np.arange(12)

    fits = [growth.exponent({s: 3 * s**1.5 * rng.lognormal(0, 0.1) for s in sizes}) for _ in range(200)]

    inside = sum(abs(f.slope - 1.5) <= f.margin for f in fits)
    assert 175 <= inside <= 200  # 95 % of 200 are 190, give or take five standard deviations
    assert growth.exponent({1: 1.0, 2: 2.0}) is None


def test_the_exponents_of_a_sweep_are_a_table():
    found = [("channels", "im2col", {1: 1.0, 2: 4.0, 4: 16.0}, {1: 1.0, 2: 2.0, 4: 4.0}), ("channels", "fft", {1: 1.0}, {})]

    assert growth.table(found).splitlines() == [
        "| method | channels: time | channels: memory |",
        "|---|---|---|",
        "| `im2col` | 2.00 ± 0.00 | 1.00 ± 0.00 |",
    ]


def test_small_sweeps_have_a_table_of_their_own_and_what_never_changes_has_no_spread():
    found = [("extent", "im2col", {1: 1.0, 2: 4.0, 4: 16.0}, {}), ("small-extent", "loop", {1: 3.0, 2: 3.0, 4: 3.0}, {})]

    large, small = growth.table(found).split("\n\n")

    assert large.splitlines()[-1] == "| `im2col` | 2.00 ± 0.00 |  |"
    assert small.splitlines()[-1] == "| `loop` | 0.00 ± 0.00 |  |"


def test_a_row_is_measured_in_the_layout_that_it_does_and_transposed_if_it_does_only_that():
    from convlaws.targets.registry import get

    problem = growth.sweeps("extent")["extent"][7.0]

    last, turned = (growth._as_done_by(get(name), problem) for name in ("torch-channels-last", "torch-transpose"))

    assert (last.layout, last.spec) == ("channels_last", problem.spec)
    assert (turned.layout, turned.spec.transposed) == (problem.layout, True)


def test_what_asv_saved_is_read_the_newest_first_and_failures_are_no_values(tmp_path):
    for date, commit, values in ((1, "aaaaaaaa", [1.0, 5.0, 7.0]), (2, "bbbbbbbb", [2.0, None, float("nan")])):
        row = [values, [["'tiny'"], ["'fft'", "'im2col'", "'loop'"]]]
        record = {
            "date": date,
            "result_columns": ["result", "params", "version"],
            "results": {"b.time": row, "b.none": [None, []]},
        }
        (tmp_path / f"{commit}-env.json").write_text(json.dumps(record))

    assert saved(tmp_path) == {("b.time", "tiny", "fft"): 2.0, ("b.time", "tiny", "im2col"): 5.0, ("b.time", "tiny", "loop"): 7.0}
    assert saved(tmp_path, "bbbbbbbbbbbb") == {("b.time", "tiny", "fft"): 2.0}


def test_the_marks_of_asv_compare_are_read():
    printed = (
        "All benchmarks:\n\n| Change | Before [a] | After [b] | Ratio | Benchmark (Parameter)     |\n|---|---|---|---|---|\n"
        "|        | 1.0±0ms    | 1.0±0ms   | 1.00  | b.time('tiny', 'fft')     |\n"
        "| +      | 1.0±0ms    | 1.6±0ms   | 1.60  | b.time('tiny', 'im2col')  |\n"
    )

    assert marks(printed) == {"b.time(tiny, im2col)": "+"}


def test_a_table_goes_between_the_markers_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{study_table.BEGIN}\nold\n{study_table.END}\nafter\n")

    study_table.put(page, "new")

    assert page.read_text() == f"before\n{study_table.BEGIN}\n\nnew\n\n{study_table.END}\nafter\n"
    with pytest.raises(SystemExit, match="has not both"):
        study_table.put(ROOT / "Makefile", "new")


def test_a_study_counts_the_slowed_method_apart_from_the_others():
    ratios = {"b.time_call(tiny, im2col)": 1.5, "b.time_call(tiny, fft)": 1.01, "b.track_peak_bytes(tiny, im2col)": 1.0}
    flags = {1.1: {"b.time_call(tiny, im2col)": "+"}, 2.0: {}}
    given = SimpleNamespace(method="Im2col", factor=1.1, bench=".", attribute=[], times=1.5)
    found = [study_table.Comparison("same", 0, dict.fromkeys(ratios, 1.02), {1.1: {}, 2.0: {}})]
    found += [study_table.Comparison("slow", 1, ratios, flags)] * 2

    lines = study_table.document(found, given, {"cpu": "x"}, None).splitlines()

    assert "| same, all | 1 | 0 of 1 | 3 | 0 | 0 |" in lines
    assert "| slow, time of `im2col` | 2 | 2 of 2 | 2 | 2 | 0 |" in lines
    assert "| slow, all others | 2 | 2 of 2 | 4 | 0 | 0 |" in lines
    assert "| seconds | 2 | 1.020 | 1.020 | 1.020 | 1.020 |" in lines
