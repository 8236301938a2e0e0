"""Time and memory of a call, measured in the process that makes it.

Blocks of calls as in `torch.utils.benchmark.Timer.blocked_autorange`, by Python's timeit: no garbage collection
within, ten times as many calls until a block is long enough, and blocks until the time is up. It is reimplemented
here since most engine processes have no torch, and with one method all times are comparable. Our blocks are shorter: torch
allows the clock 1e-4 of a block, this a quarter of a per cent, so that more blocks fit between two interruptions by other load.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

GRAIN = 1000  # a block takes at least this fraction of the time, as in torch
FACTOR = 10  # by which the number of calls to try grows, as in torch
LEAST_BLOCK = 2e-5  # minimum of seconds for a block: the clock takes 50 ns to read, a quarter of a per cent of it
_PROCESS = Path("/proc/self")


def blocks(call: Callable[[], Any], seconds: float, *, warm: bool = True) -> tuple[list[float], int]:
    """(seconds per call in each block, calls per block); about `seconds` in all, and at least one call.

    `warm` makes a call beforehand: in the first call a library compiles, plans and fills its caches.
    """
    timer, number = timeit.Timer(call), 1
    if warm:
        call()
    while (took := timer.timeit(number)) < max(seconds / GRAIN, LEAST_BLOCK):
        number *= FACTOR
    times, spent = [took / number], took  # the block that was long enough counts as the first
    while spent < seconds:
        took = timer.timeit(number)
        times.append(took / number)
        spent += took
    return times, number


def grown(call: Callable[[], Any]) -> int | None:
    """Bytes by which the peak memory of this process grows during a call; None where the system does not report it.

    Accurate to a few hundred kB: the kernel counts pages in batches.
    """
    try:
        (_PROCESS / "clear_refs").write_text("5")  # reset the peak
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
    """The result of the last call, and its measurements: {"blocks", "calls"}, or {"grown"} if `how` has {"memory": true}."""
    kept: list[Any] = [None]

    def once() -> None:
        kept[0] = None  # drop the old result first, so that two at a time do not count as the method's memory
        kept[0] = call()

    if how.get("memory"):
        return _last(kept, {"grown": grown(once)})
    times, number = blocks(once, float(how["seconds"]), warm=how.get("warm", True))
    return _last(kept, {"blocks": times, "calls": number})


def _last(kept: list[Any], record: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return kept[0], record
