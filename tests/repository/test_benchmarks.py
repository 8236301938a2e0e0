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

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks is a folder of the checkout, not of the package

from benchmarks import bench_calls, problems, verified  # noqa: E402
from benchmarks.once import once  # noqa: E402

from convlaws.problem.problem import Problem  # noqa: E402
from convlaws.problem.scope import Scope  # noqa: E402
from convlaws.targets.registry import Method, always, get, rows  # noqa: E402

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
LONG = {
    "benchmarks.judging.Judging": "it has a test of its own lane: thousands of answers",
}


def smallest(suite) -> tuple:
    """The cheapest parameters that are not refused."""
    given = getattr(suite, "params", ())
    given = given if not given or isinstance(given[0], tuple) else (given,)
    cheap = {"method": "im2col"} | (
        {"problem": min(suite.of, key=lambda n: suite.of[n].spec.macs)} if hasattr(suite, "of") else {}
    )
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
    from scripted.functions import conv2d

    from convlaws.engines.tensors import to_array, to_tensor

    CALLS.append(1)
    found = to_array(conv2d(to_tensor(arrays["x"]), to_tensor(arrays["w"]), padding=1)).copy()
    if len(CALLS) > 2:
        found[0, 1, 2, 3] += 0.01
    return found


def row_of_this_file(function) -> Method:
    sys.modules.setdefault("test_benchmarks", sys.modules[__name__])
    return Method(name="mine", says="", address=f"test_benchmarks:{function.__name__}", scope=Scope(), contract=always("plain"))


@pytest.mark.parametrize("mutant", ["mutant-flipped-kernel", "mutant-half-accumulation"])
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

    strides = {
        "contiguous": (90, 30, 5, 1),
        "channels_last": (90, 1, 15, 3),
        "sliced": (308, 77, 11, 2),
        "expanded": (0, 30, 5, 1),
    }
    assert np.array_equal(found, problem.operands["x"])
    assert tuple(s // found.itemsize for s in found.strides) == strides[layout]
