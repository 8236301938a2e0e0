"""`convlaws.check` on functions of every kind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scripted.functions import conv2d

import convlaws
from convlaws.api import kept
from convlaws.errors import UnknownName
from convlaws.records.finding import Verdict

EXAMPLES = Path(__file__).parents[1] / "examples"
NARROW = convlaws.Scope(ops=("fprop",), dtypes=("float32",), fills=("integers",))
DEFINITION = ["equals-the-definition"]
pytestmark = pytest.mark.usefixtures("one_sandbox")


def flipped(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return conv2d(input, weight.flip(-1), bias, stride, padding, dilation, groups)


def dies(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    import ctypes

    return ctypes.string_at(0)


def test_a_right_function_is_kept():
    found = convlaws.check(f"{EXAMPLES}/right.py:conv2d", laws=DEFINITION, scope=NARROW)

    assert kept(found)
    assert [str(f.verdict) for f in found] == ["kept"]


def test_a_function_of_this_file_is_found_by_its_own_name_and_judged_in_the_sandbox():
    found = convlaws.check(flipped, laws=DEFINITION, scope=NARROW)

    [bad] = [f for f in found if f.verdict.bad]
    assert bad.method.endswith("test_api.py:flipped")
    assert bad.problem == "n1c1k1_x1x2_r1x2_s1x1_p0x0_d1x1_g1 fprop float32 contiguous integers seed=0"
    assert "in this process" not in bad.message


def test_a_function_that_kills_its_process_leaves_this_one_alive():
    found = convlaws.check(dies, laws=DEFINITION, scope=NARROW, examples=3)

    assert [(str(f.verdict), f.signature) for f in found] == [("crashed", "SIGSEGV")]


@pytest.mark.parametrize("kind", ["lambda", "closure"])
def test_what_cannot_cross_runs_here_and_says_so(kind):
    calls = []

    def closure(*arguments):
        calls.append(1)
        return conv2d(*arguments)

    function = closure if kind == "closure" else lambda *arguments: calls.append(1) or conv2d(*arguments)

    found = convlaws.check(function, laws=DEFINITION, scope=NARROW)

    assert calls
    assert [str(f.verdict) for f in found] == ["kept"]
    assert all("ran in this process: it cannot cross into a fresh one" in f.message for f in found)


def test_laws_and_scope_are_chosen():
    found = convlaws.check("im2col", laws=["additive-*"], scope=convlaws.Scope(ops=("wgrad",)))

    assert {f.law for f in found if f.examples} == {"additive-in-x", "additive-in-gy"}
    assert {f.op for f in found} == {"wgrad"}


def test_numpy_functions_and_other_signatures_are_told():
    found = convlaws.check(f"{EXAMPLES}/in_numpy.py:conv1d", signature="conv1d", arrays="numpy", laws=DEFINITION)

    assert {f.op: str(f.verdict) for f in found}["fprop"] == "kept"
    assert {f.verdict for f in found if f.op != "fprop"} == {Verdict.REFUSED}


def test_several_targets_go_into_one_search():
    found = convlaws.check(["im2col", flipped], laws=DEFINITION, scope=NARROW)

    assert sorted(str(f.verdict) for f in found) == ["broken", "kept"]


def test_an_unknown_law_is_named_with_its_neighbours():
    with pytest.raises(UnknownName, match="no law 'additve-in-x'; near: additive-in-x"):
        convlaws.check("im2col", laws=["additve-in-x"])


def test_nothing_verified_is_not_kept():
    found = convlaws.check("winograd2", laws=DEFINITION, scope=convlaws.Scope(ops=("wgrad",)))

    assert not kept(found)


BARE = """import convlaws
from scripted.functions import conv2d
{guard}
    def mine(x, w, *rest):
        return conv2d(x, w, *rest)
    found = convlaws.check({name}, laws=["equals-the-definition"], scope=convlaws.Scope(ops=("fprop",), dtypes=("float32",)))
    print(found[0].verdict, found[0].message)
"""


@pytest.mark.parametrize(
    ("guard", "name", "says"),
    [
        ("if __name__ == '__main__':", "mine", "kept ran in this process"),
        ("if True:", "__file__ + ':mine'", "starts a search when it is imported; put that below if __name__"),
    ],
    ids=["guarded", "bare"],
)
def test_a_script_does_not_start_itself_again(tmp_path, guard, name, says):
    script = tmp_path / "script.py"
    script.write_text(BARE.format(guard=guard, name=name))

    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=120)

    assert says in " ".join((run.stdout + run.stderr).split())
