"""Requests for the tests of the sandbox, and inspection of processes."""

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
    """Return the request for a problem line."""
    p = Problem.parse(f"{line} normal {words}")
    given = {"operands": p.operands, "op": p.op, "layout": p.layout} | changed
    return Request(spec=p.spec, dtype=p.dtype, **given)


def parts(reply) -> tuple:
    """Return what the target `said` reports: spec, op, dtype, arrays, threads, process id."""
    assert reply.ending is Ending.ANSWERED, reply
    return tuple(json.loads(reply.output.tobytes()))


def stat_of(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name: state, parent, ...; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    """True if the process runs; a zombie does not."""
    return stat_of(pid)[:1] not in ([], ["Z"])


def below(pid: int) -> list[int]:
    """Return the running descendants of `pid`."""
    everybody = [int(p.name) for p in Path("/proc").glob("[0-9]*")]
    own = [p for p in everybody if stat_of(p)[1:2] == [str(pid)] and is_alive(p)]
    return own + [further for p in own for further in below(p)]


def wait_until(done, seconds: float = 20.0) -> None:
    """Wait until `done()` is true; fail if it is not within `seconds`."""
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.02)
    assert done()
