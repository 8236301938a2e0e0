"""The sandbox: whatever a method does is the ending of a reply, and the next call works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hosts_for_sandbox.asking import HOSTILE, TRIVIAL, is_alive, request, wait_until

from convlaws.errors import UsageError
from convlaws.problem.request import Ending
from convlaws.sandbox.sandbox import InProcess, Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")


@pytest.fixture(scope="module")
def trivial():
    with Sandbox(host=TRIVIAL) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def hostile():
    with Sandbox(host=HOSTILE) as sandbox:
        yield sandbox


ENDINGS = {
    "segfault": (Ending.DIED, "SIGSEGV", "the process died of SIGSEGV"),
    "abort": (Ending.DIED, "SIGABRT", "the process died of SIGABRT"),
    "os._exit": (Ending.DIED, "exit 3", "the process ended with exit status 3"),
    "sys.exit": (Ending.RAISED, "SystemExit", "SystemExit: 4"),
    "interrupt": (Ending.RAISED, "KeyboardInterrupt", "KeyboardInterrupt: "),
    "error": (Ending.RAISED, "ValueError", "ValueError: no such stride: \\x1b[31m\n"),
    "long error": (Ending.RAISED, "ValueError", "ValueError: long long"),
    "unprintable": (Ending.RAISED, "Unprintable", "Unprintable: (its text cannot be printed)"),
    "refusal": (Ending.REFUSED, "Narrower", "only two axes"),
    "last words": (Ending.DIED, "SIGSEGV", "the process died of SIGSEGV; its last output: about to fall \\x07"),
    "orphan": (Ending.DIED, "SIGSEGV", "the process died of SIGSEGV"),
    "flood": (Ending.OVER_LIMIT, "output", "wrote "),
    "endless flood": (Ending.OVER_LIMIT, "output", "wrote "),
    "close": (Ending.DIED, "protocol", "protocol: it closed its connection and went on"),
    "kill zygote": (Ending.DIED, "zygote", "the process and the zygote that made it died"),
    "forge garbage": (Ending.DIED, "protocol", "protocol: a message of"),
    "forge size": (Ending.DIED, "protocol", "protocol: a message of 2147483648 bytes"),
    "forge json": (Ending.DIED, "protocol", "protocol: a message that is no JSON"),
    "forge depth": (Ending.DIED, "protocol", "protocol: a message that is no JSON"),
    "forge list": (Ending.DIED, "protocol", "protocol: a message that is a list"),
    "flood opened": (Ending.DIED, "protocol", "protocol: bytes that answer no request"),
    "flood done": (Ending.DIED, "protocol", "protocol: bytes that answer no request"),
    "forge number": (Ending.DIED, "protocol", "protocol: bytes that answer no request"),
    "forge shape": (Ending.DIED, "protocol", "protocol: an output of shape"),
    "forge negative": (Ending.DIED, "protocol", "protocol: an output of shape [-1]"),
    "forge dtype": (Ending.DIED, "protocol", "protocol: an output of dtype 'object'"),
    "forge list dtype": (Ending.DIED, "protocol", "protocol: an output of dtype"),
    "forge ending": (Ending.DIED, "protocol", "protocol: an ending 'hung'"),
    "forge opened": (Ending.DIED, "protocol", "protocol: bytes that answer no request"),
    "forge extra": (Ending.DIED, "protocol", "protocol: bytes that answer no request"),
}


@pytest.mark.parametrize("deed", ENDINGS)
def test_what_a_method_does_is_the_ending_of_a_reply_and_the_run_goes_on(deed):
    with Sandbox(host=HOSTILE) as sandbox:
        before = sandbox.call({"do": "nothing"}, request())
        reply = sandbox.call({"do": deed}, request())
        after = sandbox.call({"do": "nothing"}, request())

    ending, signature, begins = ENDINGS[deed]
    assert (before.ending, after.ending) == (Ending.ANSWERED, Ending.ANSWERED)
    assert (reply.ending, reply.signature) == (ending, signature), reply
    assert reply.message.startswith(begins)


@pytest.mark.parametrize("deed", ["hang", "spin", "stop"])
def test_a_method_that_gives_no_answer_is_killed_at_the_time_limit(hostile, deed):
    assert hostile.call({"do": "nothing"}, request()).ending is Ending.ANSWERED
    hostile.time_limit = 0.5

    reply = hostile.call({"do": deed}, request())

    hostile.time_limit = 20.0
    assert (reply.ending, reply.message) == (Ending.HUNG, "no answer within 0.5 s")
    assert hostile.call({"do": "nothing"}, request()).ending is Ending.ANSWERED


def test_the_time_limit_may_be_changed_between_calls(trivial):
    trivial.time_limit = 0.01

    short = trivial.call({"do": "slowly"}, request())

    trivial.time_limit = 20.0
    assert short.ending is Ending.HUNG
    assert trivial.call({"do": "slowly"}, request()).ending is Ending.ANSWERED


def test_a_method_that_eats_memory_is_killed_at_the_memory_limit():
    with Sandbox(host=HOSTILE, memory_limit=300_000_000) as sandbox:
        reply = sandbox.call({"do": "eat"}, request())
        after = sandbox.call({"do": "nothing"}, request())

    assert (reply.ending, reply.signature) == (Ending.OVER_LIMIT, "memory")
    assert reply.message.endswith("MiB of memory are resident, the limit is 286")
    assert after.ending is Ending.ANSWERED


@pytest.mark.parametrize(
    ("deed", "ending", "signature"),
    [
        ("error", Ending.NOT_LOADED, "ValueError"),
        ("sys.exit", Ending.NOT_LOADED, "SystemExit"),
        ("refusal", Ending.REFUSED, "Narrower"),
        ("segfault", Ending.NOT_LOADED, "SIGSEGV"),
        ("os._exit", Ending.NOT_LOADED, "exit 3"),
    ],
)
def test_opening_a_target_has_endings_too(hostile, deed, ending, signature):
    reply = hostile.call({"do": deed, "at": "open"}, request())

    assert (reply.ending, reply.signature) == (ending, signature)
    assert hostile.call({"do": "nothing"}, request()).ending is Ending.ANSWERED


def test_opening_a_target_that_hangs_ends_at_its_longer_limit(hostile, monkeypatch):
    monkeypatch.setattr("convlaws.sandbox.supervisor.OPENING", 0.5)
    hostile.time_limit = 0.1

    reply = hostile.call({"do": "hang", "at": "open"}, request())

    hostile.time_limit = 20.0
    assert (reply.ending, reply.message) == (Ending.NOT_LOADED, "it cannot be opened: no answer within 0.6 s")


def test_an_exception_names_the_line_of_the_code_that_raised_it():
    with Sandbox(host=TRIVIAL) as sandbox:
        reply = sandbox.call({"do": "copy b"}, request())

    assert reply.ending is Ending.NOT_LOADED
    assert reply.message.startswith("KeyError: 'copy b'\n  ")
    assert reply.message.endswith(f'trivial.py:{line_of("TARGETS[target")} in open_target: return TARGETS[target["do"]]')


def line_of(text: str) -> int:
    """The line of the trivial host that contains `text`."""
    source = (Path(__file__).parents[1] / "helpers" / "hosts_for_sandbox" / "trivial.py").read_text().splitlines()
    return next(number for number, line in enumerate(source, 1) if text in line)


def test_what_a_method_prints_does_not_disturb_its_answer(hostile):
    reply = hostile.call({"do": "print"}, request())

    assert reply.ending is Ending.ANSWERED
    assert is_alive(reply.output[0])


def test_the_last_output_in_a_message_is_that_of_its_own_call(hostile):
    hostile.call({"do": "print"}, request())

    reply = hostile.call({"do": "segfault"}, request())

    assert reply.message == "the process died of SIGSEGV"


def test_a_child_that_dies_between_two_calls_is_noticed_at_the_next(hostile):
    first = hostile.call({"do": "soon"}, request())
    wait_until(lambda: not is_alive(first.output[0]))

    second = hostile.call({"do": "soon"}, request())

    assert first.ending is Ending.ANSWERED
    assert (second.ending, second.signature) == (Ending.DIED, "SIGSEGV")
    assert second.message.startswith("since the call before, ")


def test_a_death_between_two_calls_is_not_blamed_on_another_target(hostile):
    child = hostile.call({"do": "soon"}, request()).output[0]
    deaths = hostile.deaths
    wait_until(lambda: not is_alive(child))

    other = hostile.call({"do": "nothing"}, request())

    assert other.ending is Ending.ANSWERED
    assert hostile.deaths == deaths + 1


def test_deaths_are_counted_and_a_refresh_is_none():
    with Sandbox(host=HOSTILE) as sandbox:
        sandbox.call({"do": "segfault"}, request())
        sandbox.call({"do": "error"}, request())
        sandbox.refresh()
        sandbox.call({"do": "abort"}, request())

        assert sandbox.deaths == 2


BARE = {"error", "sys.exit", "refusal", "unprintable", "long error"}


@pytest.mark.parametrize("deed", sorted(BARE))
def test_bare_has_the_replies_of_a_sandbox_for_what_is_no_crash(hostile, deed):
    with InProcess(host=HOSTILE) as bare:
        ours, theirs = (runner.call({"do": deed}, request()) for runner in (bare, hostile))

    assert (ours.ending, ours.signature, ours.message) == (theirs.ending, theirs.signature, theirs.message)


def test_bare_lets_the_keyboard_through():
    with InProcess(host=HOSTILE) as bare, pytest.raises(KeyboardInterrupt):
        bare.call({"do": "interrupt"}, request())


def test_other_systems_are_told_of_no_sandbox(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(UsageError, match=r"this is darwin; use --no-sandbox"):
        Sandbox(host=TRIVIAL)
