"""The plugin in other people's test suites: two in a process of their own, the others in this one, which has torch already."""

from __future__ import annotations

from importlib import import_module

import pytest

from convlaws.targets.process_spec import WITH_SCIPY, WITH_TORCH

pytest_plugins = ["pytester"]
# narrow and few, so that a table of it takes no time
WRONG = """
from scripted.functions import conv2d as right

def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return right(input, weight.flip(-1), bias, stride, padding, dilation, groups)
"""
RIGHT = "from scripted.functions import conv2d\n"
LINE = "n1c1k1_x1x2_r1x2_s1x1_p0x0_d1x1_g1 fprop float32 contiguous integers seed=0"
TABLE = """
import convlaws
from convlaws import Known, Scope, law_table
from convlaws.targets.process_spec import WITH_SCIPY, WITH_TORCH

NARROW = Scope(ops=("fprop",), dtypes=("float32",), fills=("integers",), bias=(True,))

@law_table("{folder}/mine.py:conv2d", laws={laws}, scope=NARROW, known={known})
def test_mine(case):
    case.check()
"""


@pytest.fixture(scope="module", autouse=True)
def imported():
    """Import what the suites do: `pytester` forgets at its end what is newer, and torch and SciPy cannot be imported twice."""
    for name in (*WITH_TORCH.modules, *WITH_SCIPY.modules, "convlaws.api"):
        import_module(name)


@pytest.fixture
def suite(pytester, monkeypatch, one_sandbox):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def make(source: str, laws: list[str], known: str = "()"):
        pytester.makepyfile(mine=source, test_mine=TABLE.format(folder=pytester.path, laws=laws, known=known))
        return pytester

    return make


def test_a_right_function_passes_with_one_test_a_law(suite):
    result = suite(RIGHT, ["equals-the-definition", "zero-input-*"]).runpytest_subprocess("-v")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_mine[[]zero-input-gives-the-bias[]]*"])


def test_a_wrong_function_fails_and_the_line_comes_last(suite):
    result = suite(WRONG, ["equals-the-definition", "zero-input-*"]).runpytest_inprocess()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*LawBroken*breaks equals-the-definition*", "E*repeat:", "E*n1c1k1_x1x2_r1x2*"])


def test_a_known_failure_is_expected_on_its_line(suite):
    known = f"[Known('equals-the-definition', 'mine#41', {LINE!r})]"

    result = suite(WRONG, ["equals-the-definition"], known).runpytest_inprocess()

    # the line itself is excused; what shrinks to another line is not
    assert result.parseoutcomes().get("xfailed") == 1


def test_a_known_failure_that_no_longer_fails_is_a_failure(suite):
    known = f"[Known('equals-the-definition', 'mine#41', {LINE!r})]"

    result = suite(RIGHT, ["equals-the-definition"], known).runpytest_inprocess()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*XPASS(strict)*mine#41*"])


def test_a_known_failure_of_no_law_is_an_error_at_collection(suite):
    known = f"[Known('equals-nothing', 'mine#41', {LINE!r})]"

    result = suite(WRONG, ["equals-the-definition"], known).runpytest_inprocess()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*UnknownName*'mine#41' names the law 'equals-nothing'; there are *"])


def test_the_seed_is_in_the_header_and_the_number_of_examples_is_an_option(suite):
    suited = suite(RIGHT, ["zero-input-*"])

    result = suited.runpytest_inprocess("--convlaws-seed=7", "--convlaws-examples=5", "--convlaws-no-sandbox")

    result.stdout.fnmatch_lines(["convlaws: --convlaws-seed=7"])
    result.assert_outcomes(passed=1)


def test_it_works_on_two_workers(suite):
    result = suite(WRONG, ["equals-the-definition", "zero-input-*"]).runpytest_subprocess("-n", "2")

    result.assert_outcomes(passed=1, failed=1)


def test_a_fixture_of_the_suite_may_be_called_case(pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def case():
            return 7

        def test_theirs(case):
            assert case == 7
    """)

    result = pytester.runpytest_inprocess("--fixtures-per-test")

    result.stdout.no_fnmatch_line("*convlaws*/pytest_plugin.py*")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_law_table_works_beside_a_fixture_of_the_name_of_its_argument(suite):
    suited = suite(RIGHT, ["zero-input-*"])
    suited.makeconftest("import pytest\n\n@pytest.fixture\ndef case():\n    return 7\n")

    suited.runpytest_inprocess("--convlaws-examples=5").assert_outcomes(passed=1)
