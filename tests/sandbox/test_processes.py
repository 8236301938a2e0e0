"""The sandbox's processes and descriptors: none is left over, whoever dies."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hosts_for_sandbox.asking import HOSTILE, LARGE, LINE, TRIVIAL, below, is_alive, parts, request, stat_of, wait_until

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


PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from convlaws.sandbox.sandbox import Sandbox
from hosts_for_sandbox.asking import HOSTILE, request
sandbox = Sandbox(host=HOSTILE)
sandbox.call({"do": "nothing"}, request())
print("ready", flush=True)
if sys.argv[2] == "calling":
    sandbox.call({"do": "hang"}, request())
sys.stdin.read()
"""


def parent(doing: str) -> subprocess.Popen:
    """A process with a sandbox, which has a child."""
    here = str(Path(__file__).parents[1] / "helpers")
    started = subprocess.Popen(
        [sys.executable, "-c", PARENT, here, doing], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


@pytest.mark.parametrize("doing", ["calling", "idle"])
def test_zygote_and_child_end_when_the_parent_is_killed(doing):
    with parent(doing) as process:
        started = below(process.pid)
        assert len(started) == 2

        os.kill(process.pid, signal.SIGKILL)
        process.wait()

        wait_until(lambda: not any(map(is_alive, started)))


def test_a_sandbox_that_nobody_closes_ends_with_its_process():
    with parent("waiting") as process:
        started = below(process.pid)
        assert len(started) == 2

        process.communicate("", timeout=20)

    wait_until(lambda: not any(map(is_alive, started)))


def test_a_sandbox_that_is_dropped_ends_its_processes():
    sandbox = Sandbox(host=TRIVIAL)
    child = parts(sandbox.call({"do": "said"}, request()))[5]

    del sandbox
    gc.collect()

    wait_until(lambda: not is_alive(child))


def test_refresh_gives_the_next_call_a_fresh_child(trivial):
    first = parts(trivial.call({"do": "said"}, request()))[5]
    again = parts(trivial.call({"do": "said"}, request()))[5]

    trivial.refresh()

    assert first == again
    assert parts(trivial.call({"do": "said"}, request()))[5] != first
    assert not is_alive(first)


def test_a_zygote_that_is_killed_is_replaced():
    with Sandbox(host=TRIVIAL) as sandbox:
        child = parts(sandbox.call({"do": "said"}, request()))[5]
        zygote = int(stat_of(child)[1])

        os.kill(zygote, signal.SIGKILL)
        wait_until(lambda: not is_alive(child))

        assert sandbox.call({"do": "zeros"}, request(LINE.replace("n2", "n3"))).ending is Ending.ANSWERED


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("hosts_for_sandbox.unloadable", "unloadable: ImportError: no library called spline"),
        ("hosts_for_sandbox.absent", "absent: ModuleNotFoundError: No module named 'hosts_for_sandbox.absent'"),
    ],
)
@pytest.mark.parametrize("kind", [Sandbox, InProcess])
def test_a_host_that_cannot_be_loaded_is_a_usage_error_with_its_last_line(kind, host, says):
    with kind(host=host) as sandbox, pytest.raises(UsageError) as raised:
        sandbox.call({"do": "zeros"}, request())

    assert str(raised.value).endswith(says)


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_no_descriptor_leaks_over_two_hundred_deaths():
    with Sandbox(host=HOSTILE) as sandbox:
        sandbox.call({"do": "os._exit"}, request())
        before = descriptors()

        endings = {sandbox.call({"do": "os._exit"}, request()).ending for _ in range(200)}

        assert endings == {Ending.DIED}
        assert descriptors() == before
    assert sandbox.deaths == 201


def test_no_descriptor_leaks_over_two_thousand_calls_of_changing_size():
    with Sandbox(host=TRIVIAL) as sandbox:
        asked = [request(), request(LARGE)]
        for one in asked:
            sandbox.call({"do": "zeros"}, one)
        before, inside = descriptors(), set()

        for number in range(2000):
            reply = sandbox.call({"do": "said"}, asked[number % 100 == 50])
            inside.add(len(os.listdir(f"/proc/{parts(reply)[5]}/fd")))

        assert descriptors() == before
        assert len(inside) == 1


def test_a_process_that_a_method_left_behind_ends_with_the_child(hostile):
    reply = hostile.call({"do": "orphan"}, request())

    orphan = int(reply.message.rpartition(": ")[2])
    wait_until(lambda: not is_alive(orphan))
