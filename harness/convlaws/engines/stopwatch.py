"""How long a call takes and how much memory, measured in the process that makes it.

Blocks of calls as `torch.utils.benchmark.Timer.blocked_autorange` makes them, by Python's timeit: no garbage collection
within, ten times as many calls until a block is long enough, and blocks until the time is up. It is written down here
since most homes have no torch, and one rule for all can be compared. Ours are shorter: torch lets the clock cost
1e-4 of a block, this a quarter of a per cent, so that more blocks lie between two interruptions by another load.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

GRAIN = 1000  # a block takes this part of the time at least, as in torch
FACTOR = 10  # the next number of calls to try, as in torch
LEAST_BLOCK = 2e-5  # seconds of a block that the clock, read in 50 ns, gives to a quarter of a per cent
_PROCESS = Path("/proc/self")


def blocks(call: Callable[[], Any], seconds: float, *, warm: bool = True) -> tuple[list[float], int]:
    """(seconds a call in each block, calls a block); about `seconds` in all, and one call at the least.

    `warm` makes a call before: a library compiles, plans and fills its caches in the first.
    """
    timer, number = timeit.Timer(call), 1
    if warm:
        call()
    while (took := timer.timeit(number)) < max(seconds / GRAIN, LEAST_BLOCK):
        number *= FACTOR
    found, spent = [took / number], took  # the block that was long enough is one of them
    while spent < seconds:
        took = timer.timeit(number)
        found.append(took / number)
        spent += took
    return found, number


def grown(call: Callable[[], Any]) -> int | None:
    """Bytes by which the memory of this process was larger during a call than before; None where the system does not say.

    True to a few hundred kB: the kernel counts pages in batches.
    """
    try:
        (_PROCESS / "clear_refs").write_text("5")  # the peak begins here
        before = _kilobytes("VmRSS")
    except (OSError, KeyError, ValueError):
        call()
        return None
    call()
    return max(0, _kilobytes("VmHWM") - before) << 10


def _kilobytes(name: str) -> int:
    lines = (_PROCESS / "status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)[name].split()[0])


def measured(call: Callable[[], Any], how: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What the last call returned, and what was measured: {"blocks", "calls"}, or {"grown"} if `how` has {"memory": true}."""
    kept: list[Any] = [None]

    def once() -> None:
        kept[0] = None  # two results at a time are not the method's doing
        kept[0] = call()

    if how.get("memory"):
        return _last(kept, {"grown": grown(once)})
    found, number = blocks(once, float(how["seconds"]), warm=how.get("warm", True))
    return _last(kept, {"blocks": found, "calls": number})


def _last(kept: list[Any], record: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return kept[0], record
