"""What the tests of the sandbox ask for, and how they look at processes."""

from __future__ import annotations

import json
import time
from pathlib import Path

from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending, Request

TRIVIAL, HOSTILE = "hosts_for_sandbox.trivial", "hosts_for_sandbox.hostile"
LINE = "n2c4k6_x8x5_r3x2_s1x1_p0x0_d1x1_g1"
LARGE = "n4c8k2_x256x256_r3x3_s1x1_p0x0_d1x1_g1"


def request(line: str = LINE, words: str = "", **changed) -> Request:
    """The request for a problem line."""
    p = Problem.parse(f"{line} normal {words}")
    given = {"operands": p.operands, "op": p.op, "layout": p.layout} | changed
    return Request(spec=p.spec, dtype=p.dtype, **given)


def parts(reply) -> tuple:
    """What the target `said` saw: spec, op, dtype, arrays, threads, process."""
    assert reply.ending is Ending.ANSWERED, reply
    return tuple(json.loads(reply.output.tobytes()))


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name: state, parent; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    """Whether the process runs: a zombie does not."""
    return stat_of(pid)[:1] not in ([], ["Z"])


def below(pid: int) -> list[int]:
    """The processes that `pid` has started, of any depth."""
    everybody = [int(p.name) for p in Path("/proc").glob("[0-9]*")]
    own = [p for p in everybody if stat_of(p)[1:2] == [str(pid)] and is_alive(p)]
    return own + [further for p in own for further in below(p)]


def wait_until(done, seconds: float = 20.0) -> None:
    """Wait for something that is to happen soon; it is an error if it does not."""
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.02)
    assert done()
