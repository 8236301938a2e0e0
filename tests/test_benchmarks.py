"""The benchmarks: each runs on its smallest parameters, a wrong method has no time, asv is told how to install the project."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tomllib
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks is a folder of the checkout, not of the package

from benchmarks import bench_calls, bench_setup, growth, peak, problems, study_table, verified  # noqa: E402
from benchmarks.once import once  # noqa: E402
from benchmarks.regression_study import marks  # noqa: E402
from benchmarks.saved import saved  # noqa: E402
from convlaws.methods.registry import Method, always, get, rows  # noqa: E402
from convlaws.problem import Problem  # noqa: E402
from convlaws.scope import Scope  # noqa: E402

CONF = json.loads((ROOT / "asv.conf.json").read_text())
MODULES = [f"benchmarks.{path.stem}" for path in sorted((ROOT / "benchmarks").glob("*.py")) if path.stem != "__init__"]
MEASURES = ("time_", "track_", "timeraw_", "peakmem_", "mem_")


def classes():
    """(name, class) of everything that asv takes for a suite."""
    for name in MODULES:
        for attribute, found in vars(import_module(name)).items():
            if inspect.isclass(found) and not attribute.startswith("_") and any(m.startswith(MEASURES) for m in dir(found)):
                yield f"{name}.{attribute}", found


SUITES = dict(classes())
LONG = {"benchmarks.judging.Judging": "it has a test of its own lane: thousands of answers", "benchmarks.judging.Start": "processes"}


def smallest(suite) -> tuple:
    """The cheapest parameters that are not refused."""
    given = getattr(suite, "params", ())
    given = given if not given or isinstance(given[0], tuple) else (given,)
    cheap = {"method": "im2col", "problem": "tiny"}
    names = getattr(suite, "param_names", ())
    return tuple(cheap[n] if cheap.get(n) in values else values[0] for n, values in zip(names, given, strict=True))


# --- what asv needs -------------------------------------------------------------------------
def test_the_suites_are_there():
    assert len(SUITES) >= 12
    assert all(name.startswith("benchmarks.") for name in SUITES)


def test_nothing_but_the_standard_library_stands_between_asv_and_a_helper():
    code = (
        "import sys, benchmarks\n"
        "import benchmarks.once, benchmarks.peak, benchmarks.verified, benchmarks.saved\n"
        "print(sorted({'torch', 'numpy', 'scipy', 'asv'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_no_suite_imports_a_heavy_library_to_be_found():
    code = (
        "import sys\n"
        f"for name in {MODULES!r}: __import__(name)\n"
        "print(sorted({'torch', 'scipy', 'jax', 'hypothesis'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_asv_installs_the_wheel_alone_and_what_it_needs_in_the_versions_of_the_constraints():
    constraints = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)

    (build,), (dependencies, wheel) = CONF["build_command"], CONF["install_command"]

    assert "--no-deps" in build  # the cache would hold the wheels of the dependencies too, and asv not know which to take
    assert "-c {conf_dir}/constraints.txt" in dependencies
    assert "--force-reinstall" not in dependencies  # torch would be installed again for each commit
    assert "--no-deps --force-reinstall {wheel_file}" in wheel
    assert {name: [constraints[name]] for name in CONF["matrix"]["req"]} == CONF["matrix"]["req"]


def test_the_threads_are_one_and_no_process_is_forked():
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

    code = "import benchmarks, os, torch; print(torch.get_num_threads())"
    environment = {"PATH": "", "HOME": "/tmp"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)

    assert CONF["launch_method"] == "spawn"
    assert CONF["matrix"]["env_nobuild"] == {name: ["1"] for name in names}
    assert done.stdout.strip() == "1"


def test_what_asv_reads_is_where_it_looks():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert (ROOT / CONF["benchmark_dir"] / "__init__.py").is_file()
    assert CONF["branches"] == ["main"]
    assert any(need.startswith("asv") for need in extra["bench"])


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_has_a_version_and_no_hook_by_accident(name):
    module = import_module(name.rpartition(".")[0])

    hooks = [attribute for attribute in vars(module) if attribute.lower() in ("setup", "teardown", "setup_cache")]

    assert hooks == []  # asv takes anything of that name, whatever its case, for the module's
    if name not in LONG:
        assert SUITES[name].version  # or a change of a comment would cut the history


# --- each runs -------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [name for name in SUITES if name not in LONG])
def test_a_suite_runs_on_its_smallest_parameters(name):
    benchmark = SUITES[name]()
    chosen = smallest(SUITES[name])
    measures = [m for m in dir(benchmark) if m.startswith(MEASURES)]

    try:
        if hasattr(benchmark, "setup"):
            benchmark.setup(*chosen)
    except NotImplementedError as refusal:
        pytest.skip(str(refusal))
    found = {m: getattr(benchmark, m)(*chosen) for m in measures}
    if hasattr(benchmark, "teardown"):
        benchmark.teardown(*chosen)

    assert found
    assert all(value > 0 for m, value in found.items() if m.startswith("track_"))


def test_every_line_of_the_catalogues_is_done_by_a_method_of_ours_and_by_torch():
    lines = problems.QUICK | problems.KINDS | problems.CHOSEN | problems.SWEEPS | problems.TAILS

    unasked = [
        (name, kind)
        for (name, problem), kind in product(lines.items(), ("method", "engine"))
        if all(row.scope.refuses(problem) for row in rows(kind))
    ]

    assert unasked == []
    assert len(lines) > 90


def test_every_method_has_a_time_in_the_quick_set():
    done = {row.name for row in rows("method") for p in problems.QUICK.values() if row.scope.refuses(p) is None}

    assert done == {row.name for row in rows("method")}


def test_setup_is_done_once_for_the_parameters_that_are_measured():
    class Counting:
        count = 0

        @once
        def setup(self, what):
            self.count += 1

    benchmark = Counting()
    for what in ("a", "a", "b", "b"):
        benchmark.setup(what)

    assert benchmark.count == 2


# --- a wrong method has no time -----------------------------------------------------------------
TINY = Problem.parse("n1c2k2_x6x5_r3x3_p1x1 normal")
CALLS: list[int] = []


def wrong_from_the_third_call_on(spec, op, arrays, options):
    """A right convolution that goes astray while it is timed."""
    from torch.nn import functional as F

    from convlaws.engines.tensors import to_array, to_tensor

    CALLS.append(1)
    found = to_array(F.conv2d(to_tensor(arrays["x"]), to_tensor(arrays["w"]), padding=1)).copy()
    if len(CALLS) > 2:
        found[0, 1, 2, 3] += 0.01
    return found


def row_of_this_file(function) -> Method:
    sys.modules.setdefault("test_benchmarks", sys.modules[__name__])
    return Method(name="mine", says="", address=f"test_benchmarks:{function.__name__}", scope=Scope(), contract=always("plain"))


@pytest.mark.parametrize("mutant", ["mutant-flips-the-kernel", "mutant-adds-the-bias-twice"])
def test_a_mutant_has_no_time(mutant):
    problem = Problem.parse("n1c2k2_x6x5_r3x3_p1x1_b normal")

    with pytest.raises(verified.WrongError, match=f"{mutant} has no time"):
        _timed(verified.Verified(problem, get(mutant)))


def _timed(found: verified.Verified) -> None:
    found.call()
    found.verify()


def test_a_method_that_goes_astray_after_its_first_answer_has_no_time_either():
    CALLS.clear()
    suite = bench_calls.Quick()
    suite.verified, suite._prepared_for = verified.Verified(TINY, row_of_this_file(wrong_from_the_third_call_on)), ("", "")

    for _ in range(2):
        suite.setup("", "")
        suite.time_call("", "")
        suite.teardown("", "")
    suite.time_call("", "")

    with pytest.raises(verified.WrongError, match=r"at \(0, 1, 2, 3\)"):
        suite.teardown("", "")


def test_a_refusal_is_a_skip_in_the_methods_own_words():
    with pytest.raises(NotImplementedError, match="only channels_last is done"):
        verified.Verified(TINY, get("torch-channels-last"))
    with pytest.raises(NotImplementedError, match="no mine at this commit"):
        verified.row_of("mine")


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "sliced", "expanded"])
def test_the_timed_arrays_lie_as_the_problem_says(layout):
    problem = Problem.parse(f"n2c3k2_x6x5_r3x3 normal {layout}")

    found = verified._laid_out(problem, "x", problem.operands["x"])

    strides = {"contiguous": (90, 30, 5, 1), "channels_last": (90, 1, 15, 3), "sliced": (308, 77, 11, 2), "expanded": (0, 30, 5, 1)}
    assert np.array_equal(found, problem.operands["x"])
    assert tuple(s // found.itemsize for s in found.strides) == strides[layout]


# --- what is made of the numbers -------------------------------------------------------------
def test_the_peak_is_that_of_the_call_alone():
    size = 40 << 20
    before = np.ones(size // 8)  # what was there before is not counted

    found = peak.peak_bytes(lambda: before + 1)

    assert size <= found < 1.2 * size


def test_the_peak_sees_what_is_freed_before_the_call_returns():
    def call():
        np.ones(30 << 17)
        np.ones(30 << 17)

    assert 30 << 20 <= peak.peak_bytes(call) < 45 << 20


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


def test_what_asv_saved_is_read_the_newest_first_and_failures_are_no_values(tmp_path):
    for date, commit, values in ((1, "aaaaaaaa", [1.0, 5.0, 7.0]), (2, "bbbbbbbb", [2.0, None, float("nan")])):
        row = [values, [["'tiny'"], ["'fft'", "'im2col'", "'loop'"]]]
        record = {"date": date, "result_columns": ["result", "params", "version"], "results": {"b.time": row, "b.none": [None, []]}}
        (tmp_path / f"{commit}-env.json").write_text(json.dumps(record))

    assert saved(tmp_path) == {("b.time", "tiny", "fft"): 2.0, ("b.time", "tiny", "im2col"): 5.0, ("b.time", "tiny", "loop"): 7.0}
    assert saved(tmp_path, "bbbbbbbbbbbb") == {("b.time", "tiny", "fft"): 2.0}


def test_the_marks_of_asv_compare_are_read():
    printed = (
        "All benchmarks:\n\n| Change   | Before [a] <main> | After [b] <slow> | Ratio | Benchmark (Parameter) |\n|---|---|---|---|---|\n"
        "|          | 1.0±0ms | 1.0±0ms | 1.00 | b.time('tiny', 'fft') |\n| +        | 1.0±0ms | 1.6±0ms | 1.60 | b.time('tiny', 'im2col') |\n"
    )

    assert marks(printed) == {"b.time('tiny', 'im2col')": "+"}


def test_a_table_goes_between_the_markers_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{study_table.BEGIN}\nold\n{study_table.END}\nafter\n")

    study_table.put(page, "new")

    assert page.read_text() == f"before\n{study_table.BEGIN}\n\nnew\n\n{study_table.END}\nafter\n"
    with pytest.raises(SystemExit, match="has not both"):
        study_table.put(ROOT / "LICENSE" if (ROOT / "LICENSE").exists() else ROOT / "Makefile", "new")


def test_the_matrices_that_are_built_are_those_of_the_convolution():
    suite = bench_setup.Matrices()

    suite.setup("sweep-extent extent=7", "sparse_matrix")

    assert suite.number >= 1
