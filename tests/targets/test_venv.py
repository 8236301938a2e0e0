"""Environments of other versions, and the search over releases."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from convlaws.cli.app import cli
from convlaws.errors import UsageError
from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending, Request
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets import venv
from convlaws.targets.registry import Package, get, target_of
from convlaws.targets.releases import ReleaseChange, between, bisect
from convlaws.targets.resolve import Calling, from_dict, resolve
from convlaws.targets.venv import Environment, versions

SIX = Package(name="six", module="six")
PROBLEM = Problem.parse("n1c2k2_x5x4_r2x3_s1x1_p1x0_d1x1_g1_b fprop float32 contiguous integers seed=3")
RELEASES = ["1.0", "1.1", "1.2", "1.9", "1.10", "2.0"]


def reaches_an_index() -> bool:
    asked = [sys.executable, "-m", "pip", "index", "versions", "six"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


needs_an_index = pytest.mark.skipif(not reaches_an_index(), reason="pip reaches no package index here")


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An environment that has NumPy, a toy package, and nothing of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVLAWS_CACHE", str(tmp_path_factory.mktemp("cache")))
        environment = Environment(SIX, "1.16.0")
        environment.build()
        yield environment


@needs_an_index
def test_a_child_needs_nothing_but_numpy_and_the_engine(bare):
    method = get("im2col").at("1.16.0", bare.python)
    listed = subprocess.run([bare.python, "-m", "pip", "list", "--format", "freeze"], capture_output=True, text=True, check=True)
    request = Request(spec=PROBLEM.spec, op="fprop", dtype="float32", operands=PROBLEM.operands)

    with Sandbox() as box:
        there, here = box.call(target_of(method), request), box.call(target_of(get("im2col")), request)

    assert {line.partition("==")[0] for line in listed.stdout.split()} <= {"numpy", "six", "pip", "setuptools"}
    assert there.ending is Ending.ANSWERED, there.message
    assert np.array_equal(there.output, here.output)


@needs_an_index
def test_an_environment_is_made_once(bare):
    said: list[str] = []

    python = Environment(SIX, "1.16.0").build(say=said.append)

    assert python == bare.python
    assert said == []


@needs_an_index
def test_a_version_that_is_none_is_an_error_in_one_line_and_leaves_nothing(bare):
    environment = Environment(SIX, "99.0")

    with pytest.raises(UsageError, match=r"six==99\.0") as caught:
        environment.build()

    assert "\n" not in str(caught.value)
    assert not environment.place.exists()


@needs_an_index
def test_too_much_to_fetch_is_refused_with_its_size(bare, monkeypatch):
    monkeypatch.setattr(venv, "LARGE", 1000)
    environment = Environment(SIX, "1.15.0")

    with pytest.raises(UsageError, match=r"would fetch .* GB .*--allow-large"):
        environment.build()

    assert not environment.place.exists()


@needs_an_index
def test_releases_come_in_their_own_order(bare):
    found = versions(SIX)

    assert found.index("1.9.0") < found.index("1.10.0") < found.index("1.16.0")


def test_what_stands_beside_an_engine_may_have_its_version():
    package = Package(name="six", module="no_such.part", beside=("seven=={version}", "numpy"))

    assert Environment(package, "1.2").requirements[:3] == ("six==1.2", "seven==1.2", "numpy")
    assert package.requirement == "six seven numpy"
    assert not package.installed


def test_a_method_of_ours_has_no_versions():
    with pytest.raises(UsageError, match="part of convlaws"):
        resolve(["im2col@1.0"], Calling())


def test_a_version_crosses_into_another_process_by_its_passport():
    method = get("torch-native").at("2.12.0", "/somewhere/bin/python").declares("storage")

    twin = from_dict(method.to_dict())

    assert (twin.name, twin.row, twin.home, twin.declared) == (method.name, "torch-native", method.home, "storage")


def test_an_interpreter_that_is_not_there_loses_its_engine_only():
    method = get("im2col").at("1.0", "/no/such/python")
    request = Request(spec=PROBLEM.spec, op="fprop", dtype="float32", operands=PROBLEM.operands)

    with Sandbox() as box:
        reply = box.call(target_of(method), request)

    assert reply.ending is Ending.NOT_LOADED
    assert "/no/such/python cannot be started" in reply.message


@pytest.mark.parametrize("text", ["jax@newest", "im2col@", "scipy-correlate@1.x"])
def test_what_is_no_version_is_an_error_in_one_line(text):
    done = CliRunner().invoke(cli, ["repeat", str(PROBLEM), text])

    assert done.exit_code == 2
    assert len(done.output.strip().splitlines()) == 1


# --- the search over releases -------------------------------------------------------
@pytest.mark.parametrize("broken_from", range(1, len(RELEASES)))
@pytest.mark.parametrize("fixed", [False, True])
def test_the_change_is_found_wherever_it_is(broken_from, fixed):
    change = bisect(RELEASES, lambda release: (RELEASES.index(release) >= broken_from) != fixed)

    assert change == ReleaseChange(RELEASES[broken_from - 1], RELEASES[broken_from], not fixed)


def test_releases_that_cannot_be_told_are_stepped_over_and_named():
    answers = {"1.0": False, "1.1": None, "1.2": None, "1.9": None, "1.10": None, "2.0": True}

    change = bisect(RELEASES, answers.__getitem__)

    assert change == ReleaseChange("1.0", "2.0", True, ("1.1", "1.2", "1.9", "1.10"))


def test_each_release_is_asked_once():
    asked: list[str] = []

    bisect(RELEASES, lambda release: (asked.append(release), release >= "2")[1])

    assert len(asked) == len(set(asked))


def test_ends_that_answer_alike_have_nothing_between_them():
    assert bisect(RELEASES, lambda release: True) is None


def test_an_end_that_cannot_be_told_is_an_error():
    with pytest.raises(UsageError, match=r"nothing can be said of 1\.0"):
        bisect(RELEASES, lambda release: None)


@pytest.mark.parametrize(
    ("first", "last", "said"), [("1.0", "3.0", "no release"), ("2.0", "1.0", "not older"), ("1.1", "1.1", "not older")]
)
def test_a_range_that_is_none_is_an_error(first, last, said):
    with pytest.raises(UsageError, match=said):
        between(RELEASES, first, last)


def test_a_range_is_in_the_order_of_versions():
    assert between(RELEASES[::-1], "1.2", "1.10") == ["1.2", "1.9", "1.10"]
