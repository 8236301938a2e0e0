"""Cases side by side: outcomes in the order of the cases, whatever the order of the replies."""

from __future__ import annotations

import sys

import pytest
from hosts_for_sandbox.asking import TRIVIAL, request

from convlaws.judge.side_by_side import SideBySide
from convlaws.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")


@pytest.fixture
def runner():
    with Sandbox(host=TRIVIAL) as sandbox:
        yield SideBySide(sandbox)


def asking(runner, trace, name, *targets):
    """A case that makes these calls, one after the other, and is told as its name."""

    def work():
        trace.append(f"{name} begins")
        for target in targets:
            runner.call({"do": target}, request())
        trace.append(f"{name} ends")
        return name

    return work


def test_a_case_waits_while_others_run_and_is_told_in_its_turn(runner):
    trace, told = [], []
    runner.start(asking(runner, trace, "first", "slowly", "zeros"), told.append)
    runner.start(asking(runner, trace, "second", "zeros"), told.append)
    runner.start(asking(runner, trace, "third"), told.append)

    assert trace == ["first begins", "second begins", "third begins", "third ends"]
    assert len(runner) == 3
    runner.finish()

    assert trace[4:] == ["second ends", "first ends"]
    assert told == ["first", "second", "third"]


def test_it_finishes_as_many_as_it_is_told_to(runner):
    told = []
    for name in "abcd":
        runner.start(asking(runner, [], name, "zeros"), told.append)

    runner.finish(left=3)
    assert told == ["a"]
    runner.finish()
    assert told == list("abcd")


def test_a_call_of_nobody_waits_for_its_reply_and_loses_no_other(runner):
    told = []
    runner.start(asking(runner, [], "a", "slowly", "zeros"), told.append)

    runner.call({"do": "zeros"}, request())
    runner.finish()

    assert told == ["a"]


def test_what_a_case_raises_is_raised_and_the_others_can_be_forgotten(runner):
    def fails():
        runner.call({"do": "zeros"}, request())
        raise ZeroDivisionError

    told = []
    runner.start(asking(runner, [], "a", "slowly", "zeros"), told.append)
    runner.start(fails, told.append)
    runner.start(asking(runner, [], "later", "zeros"), told.append)
    with pytest.raises(ZeroDivisionError):
        runner.finish()

    assert told in (["a"], ["a", "later"])  # "a" began before; the other may have ended by then
    runner.abandon()

    assert len(runner) == 0
    runner.start(asking(runner, [], "b", "zeros"), told.append)
    runner.finish()
    assert told[0] == "a"
    assert told[-1] == "b"


def test_an_error_loses_no_case_that_has_ended(runner):
    def fails():
        runner.call({"do": "slowly"}, request())
        raise ZeroDivisionError

    told = []
    runner.start(fails, told.append)
    runner.start(asking(runner, [], "done at once"), told.append)

    with pytest.raises(ZeroDivisionError):
        runner.finish()

    assert told == ["done at once"]
