"""A script is judged by running it, in a process of its own and without convlaws."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from adapters import compute
from random_problems import random_problem, within

from convlaws.errors import UsageError
from convlaws.oracle.contracts import contract, interval
from convlaws.oracle.oracle import answer
from convlaws.problem.problem import Problem
from convlaws.reports.reproducer import _inward, script
from convlaws.targets.registry import _TABLE

EXAMPLES = Path(__file__).parents[2] / "examples"


def bounds(problem):
    found = answer(problem.spec, problem.op, problem.operands)
    allowed = interval(found, contract("plain"), problem.format)
    return found, allowed


def written(problem, target, message="m"):
    found, allowed = bounds(problem)
    return script(problem, "agreement", target, message, allowed.low, allowed.high, nan=found.nan, free=allowed.free)


def started(folder, text):
    path = folder / "repeat.py"
    path.write_text(text)
    return subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=folder, timeout=120, check=False)


@pytest.fixture
def here(capsys, stand_ins):
    """Runs a script in this process, with stand-ins for the engines: (exit status, what it printed)."""
    import torch
    from torch.backends import mkldnn

    before = torch.get_num_threads(), mkldnn.enabled

    def run(text):
        with pytest.raises(SystemExit) as ended:
            exec(compile(text, "repeat.py", "exec"), {"__name__": "__main__"})
        return ended.value.code, capsys.readouterr().out

    yield run
    torch.set_num_threads(before[0])
    mkldnn.enabled = before[1]


ENGINES = ("torch-onednn", "torch-native", "torch-channels-last", "torch-module", "torch-transpose")


@pytest.mark.parametrize("name", ENGINES)
def test_scripts_of_right_answers_exit_with_0_and_have_the_definition_right(here, name):
    rng = random.Random(f"script {name}")
    scope = within(_TABLE[name], dtypes=("float32", "float64"), fills=("integers",))

    for _ in range(12):
        problem = random_problem(rng, scope)
        status, printed = here(written(problem, name))

        assert status == 0, f"{problem}\n{printed}"
        assert "largest difference 0" in printed, f"{problem}\n{printed}"


@pytest.mark.parametrize("op", ["fprop", "dgrad", "wgrad", "bgrad"])
@pytest.mark.parametrize("size", ["n2c2k4_x6x5_r3x2_s2x1_p1x0_d1x2_g2_b", "uc2k2_x4x5_r2x2_s2x2_g2_b_t1x0"])
def test_scripts_exit_with_1_where_the_interval_is_missed(here, size, op):
    problem = Problem.parse(f"{size} {op} sliced")
    _, allowed = bounds(problem)
    target = "torch-module"

    status, printed = here(script(problem, "agreement", target, "m", allowed.low + 1, allowed.high + 1))

    assert status == 1
    assert f"{allowed.low.size} of {allowed.low.size} elements are outside" in printed


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "sliced", "expanded"])
def test_operands_are_rebuilt_to_the_bit_and_laid_out_as_they_were(dtype, layout):
    problem = Problem.parse(f"n2c3k2_x5x4_r3x2_b {dtype} {layout} special seed=5")
    names = {}

    exec(written(problem, "torch-native").split("# what is under test")[0], names)

    for role, array in problem.operands.items():
        rebuilt = names["as_array"](names[role], names[f"{role}_there"])
        assert rebuilt.tobytes() == array.tobytes() or np.array_equal(rebuilt.astype(float), array.astype(float), equal_nan=True)
        assert (np.signbit(rebuilt.astype(float)) == np.signbit(array.astype(float)))[~np.isnan(array.astype(float))].all()
        assert layout != "sliced" or rebuilt.strides[-1] == 2 * rebuilt.itemsize
        assert layout != "expanded" or role != "x" or rebuilt.strides[0] == 0


def test_large_arrays_are_packed_and_still_exact():
    problem = Problem.parse("n2c8k2_x20x20_r3x2 float64 wild seed=5")
    names = {}
    text = written(problem, "torch-native")

    exec(text.split("# what is under test")[0], names)

    assert "packed((2, 8, 20, 20)" in text
    assert names["x"].tobytes() == problem.operands["x"].tobytes()


def test_a_wrong_function_is_shown_wrong_by_its_script(tmp_path):
    problem = Problem.parse("n1c1k1_x5x5_r2x2_s2x2_d2x2")
    target = {"function": f"{EXAMPLES}/forgets_dilation.py:conv2d", "signature": "conv2d", "arrays": "torch"}

    run = started(tmp_path, written(problem, target))

    assert run.returncode == 1
    assert "elements are outside of what is allowed" in run.stdout


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("[..., :1]", "the output's shape is (1, 1, 1), it should be (1, 1, 4)"),
        (".double()", "the output's dtype is torch.float64, it should be torch.float32"),
    ],
)
def test_a_wrong_shape_or_dtype_is_shown_by_the_script_from_any_folder(tmp_path, monkeypatch, change, says):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(f"from scripted.functions import conv1d\ndef conv(*a):\n    return conv1d(*a){change}\n")
    text = written(Problem.parse("n1c1k1_x5_r2"), {"function": "mine.py:conv", "arrays": "torch"})
    monkeypatch.chdir("/")

    run = started(tmp_path, text)

    assert run.returncode == 1
    assert says in run.stderr


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("n2c2k4_x6x5_r3x2_s2x1_p1x0_d1x2_g2_b wgrad", {"function": f"{EXAMPLES}/right.py:conv2d", "arrays": "torch"}),
        ("n2c2k4_x6_r3_psame_b bfloat16", {"function": f"{EXAMPLES}/in_numpy.py:conv1d", "arrays": "numpy"}),
        ("n2c2k4_x6_r3_psame", {"function": "scripted.functions:conv1d", "arrays": "torch"}),
    ],
)
def test_right_functions_are_shown_right(here, line, target):
    status, printed = here(written(Problem.parse(line), target))

    assert status == 0, printed


def test_only_a_method_of_ours_needs_convlaws():
    problem = Problem.parse("n1c1k1_x5_r2")

    assert "import host" not in written(problem, "torch-onednn")
    assert "import host" not in written(problem, {"function": "a.py:f", "signature": "conv1d"})
    assert "from convlaws.engines import host" in written(problem, "unfold")


def test_a_row_of_ours_runs_from_its_script(tmp_path):
    run = started(tmp_path, written(Problem.parse("n1c1k1_x5x4_r2x2 sliced"), "scipy-correlate2d"))

    assert run.returncode == 0, run.stdout + run.stderr


def test_messages_cannot_break_out_of_the_docstring():
    text = written(Problem.parse("n1c1k1_x5_r2"), "torch-native", 'a """ and \\x and $low')

    compile(text, "repeat.py", "exec")

    assert "a ''' and /x and $low" in text


def test_bounds_are_rounded_inward_so_that_the_same_float64_lie_within():
    third = np.longdouble(1) / 3
    low, high = _inward(np.array([third]), up=True), _inward(np.array([third]), up=False)

    assert high[0] < third < low[0]
    assert np.nextafter(high[0], 1) == low[0]


def test_without_an_interval_the_script_only_tells(here):
    status, printed = here(script(Problem.parse("n1c1k1_x5_r2"), "agreement", "torch-native", "died: SIGSEGV"))

    assert status == 0
    assert "largest difference 0" in printed


def test_what_is_computed_in_process_is_what_the_script_computes(here):
    problem = Problem.parse("n1c1k1_x3_r1 float32 ones")

    got = compute({"row": "torch-native"}, problem)
    _, printed = here(written(problem, "torch-native"))

    assert f"got      {got.ravel().astype(float)}" in printed


@pytest.mark.parametrize("op", ["fprop", "dgrad", "wgrad", "bgrad"])
@pytest.mark.parametrize(
    "size",
    ["n2c2k4_x5x4_r3x2_s2x1_p-1:2x0:-1_d1x2_i2x3_g2_b", "uc1k2_x6x5_r3x4_s2x2_psamelower_b", "n1c1k2_x2x0_r3x1_p0x1_b"],
)
def test_a_script_has_the_definition_right_beyond_the_ordinary_ground(here, size, op):
    problem = Problem.parse(f"{size} {op} float64")

    status, printed = here(written(problem, "im2col"))

    assert status == 0, printed
    assert "largest difference 0" in printed


@pytest.mark.parametrize("line", ["n1c1k1_x5_r2_p-1", "n1c1k1_x5_r2_i2", "n1c1k1_x5_r2_s2_psameupper", "n1c1k1_x1_r2"])
def test_a_call_that_has_no_such_argument_is_refused_in_words(line):
    with pytest.raises(UsageError, match=r"which has no argument for this: .* done$"):
        script(Problem.parse(line), "agreement", "torch-native", "m")
