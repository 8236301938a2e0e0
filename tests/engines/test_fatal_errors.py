"""A child that can compute nothing more, in a real child on the CPU: the broken library is a made-up one. No test of CUDA."""

from __future__ import annotations

import sys

import pytest
from hosts_for_sandbox.asking import request

from convlaws.engines.fatal_errors import SPENT
from convlaws.problem.request import Ending
from convlaws.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
HOST = "hosts_for_sandbox.breaking"


def test_an_error_that_stays_costs_one_child_and_no_other_call():
    with Sandbox(host=HOST) as sandbox:
        before, broken, after = (sandbox.call({"do": deed}, request()) for deed in ("nothing", "break", "nothing"))
        deaths = sandbox.deaths

    assert (before.ending, after.ending, deaths) == (Ending.ANSWERED, Ending.ANSWERED, 1)
    assert (broken.ending, broken.signature) == (Ending.DIED, f"exit {SPENT}")
    assert broken.message == (
        f"the process ended with exit status {SPENT}; its last output: RuntimeError: an illegal memory access was encountered"
    )


def test_an_error_that_passes_is_an_exception_and_the_child_lives_on():
    with Sandbox(host=HOST) as sandbox:
        first, failed, again = (sandbox.call({"do": deed}, request()) for deed in ("who", "stumble", "who"))
        deaths = sandbox.deaths

    assert (failed.ending, failed.signature, deaths) == (Ending.RAISED, "RuntimeError", 0)
    assert first.output.tolist() == again.output.tolist()


def test_a_refusal_is_no_error_even_where_nothing_works():
    with Sandbox(host=HOST) as sandbox:
        reply = sandbox.call({"do": "decline"}, request())

        assert (reply.ending, reply.message, sandbox.deaths) == (Ending.REFUSED, "not here", 0)
