"""Requests that are submitted ahead: each has its own reply, whatever the others do to the process."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hosts_for_sandbox.asking import HOSTILE, LARGE, TRIVIAL, request

from convlaws.problem.request import Ending
from convlaws.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")


@pytest.fixture
def trivial():
    with Sandbox(host=TRIVIAL) as sandbox:
        yield sandbox


@pytest.fixture
def hostile():
    with Sandbox(host=HOSTILE, time_limit=1.0) as sandbox:
        yield sandbox


def all_replies(sandbox, targets, asked=None):
    """The replies to requests that are all submitted before the first is collected."""
    pending = [sandbox.submit(target, asked or request()) for target in targets]
    while not all(p.done for p in pending):
        sandbox.collect()
    return [p.taken() for p in pending]


def test_each_request_has_the_reply_to_its_own_arrays(trivial):
    asked = [request(words=f"seed={seed}") for seed in range(100)]
    pending = [trivial.submit({"do": "copy x"}, r) for r in asked]

    while not all(p.done for p in pending):
        trivial.collect()

    for r, p in zip(asked, pending, strict=True):
        np.testing.assert_array_equal(p.taken().output, r.operands["x"])
    assert trivial.deaths == 0


def test_requests_larger_than_what_is_left_of_the_shared_memory_wait_for_it(trivial):
    large = [request(LARGE, f"seed={seed}") for seed in range(6)]
    mixed = [r for pair in zip(large, [request()] * 6, strict=True) for r in pair]
    pending = [trivial.submit({"do": "copy w"}, r) for r in mixed]

    while not all(p.done for p in pending):
        trivial.collect()

    for r, p in zip(mixed, pending, strict=True):
        np.testing.assert_array_equal(p.taken().output, r.operands["w"])


@pytest.mark.parametrize(("deed", "signature"), [("segfault", "SIGSEGV"), ("abort", "SIGABRT"), ("os._exit", "exit 3")])
def test_a_death_is_the_reply_of_the_request_that_died_and_no_other(hostile, deed, signature):
    replies = all_replies(hostile, [{"do": do} for do in ("nothing", "nothing", deed, "nothing", deed, "nothing")])

    assert [r.signature for r in replies] == ["", "", signature, "", signature, ""]
    assert [r.ending for r in replies if not r.signature] == [Ending.ANSWERED] * 4
    assert hostile.deaths == 2


def test_a_hang_is_the_reply_of_the_request_that_hangs_and_of_no_other(hostile):
    replies = all_replies(hostile, [{"do": do} for do in ("nothing", "nothing", "hang", "nothing")])

    assert [r.ending for r in replies] == [Ending.ANSWERED, Ending.ANSWERED, Ending.HUNG, Ending.ANSWERED]
    assert hostile.deaths == 1


def test_what_one_writes_into_its_operands_is_told_of_it_and_not_seen_by_the_next(trivial):
    asked = request()

    first, second, third = all_replies(trivial, [{"do": do} for do in ("into x", "copy x", "before_x")], asked)

    assert (first.touched, second.touched, third.touched) == (("x",), (), ("x",))
    np.testing.assert_array_equal(second.output, asked.operands["x"])


def test_replies_that_are_found_before_the_child_tells_are_no_crime(trivial):
    for _ in range(3):
        replies = all_replies(trivial, [{"do": do} for do in ("zeros", "slowly", "zeros", "slowly", "zeros")])
        assert [r.ending for r in replies] == [Ending.ANSWERED] * 5
        assert trivial.call({"do": "zeros"}, request()).ending is Ending.ANSWERED

    assert trivial.deaths == 0


def test_a_message_that_is_too_long_for_its_place_arrives_in_order(hostile):
    replies = all_replies(hostile, [{"do": do} for do in ("error", "long error", "nothing")])

    assert [r.message[:18] for r in replies] == ["ValueError: no suc", "ValueError: long l", ""]


def test_a_call_and_a_refresh_wait_for_what_was_submitted_before(trivial):
    pending = [trivial.submit({"do": "slowly"}, request()) for _ in range(2)]

    reply = trivial.call({"do": "zeros"}, request())
    assert all(p.done for p in pending)
    pending = trivial.submit({"do": "zeros"}, request())
    trivial.refresh()

    assert reply.ending is pending.taken().ending is Ending.ANSWERED


def test_what_is_abandoned_is_forgotten_and_the_next_call_works(hostile):
    hostile.submit({"do": "hang"}, request())

    hostile.abandon()
    hostile.collect()

    assert hostile.call({"do": "nothing"}, request()).ending is Ending.ANSWERED
    assert hostile.deaths == 0  # the hang was not waited for
