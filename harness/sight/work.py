"""Chores done by several processes, a core each; every record is on file as soon as its chore is done."""

from __future__ import annotations

import ctypes
import json
import multiprocessing as mp
import os
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from convlaws.errors import SchemaError, UsageError
from convlaws.methods.registry import get
from convlaws.sandbox.client import Sandbox
from convlaws.sight.chores import RIGHT, Chore, Record, baselines
from convlaws.sight.quest import hunt

TIME_LIMIT = 2.0  # seconds a call: problems of mutants are small, and a hang costs this much at every try
WARM_SECONDS = 3.0
PR_SET_PDEATHSIG = 1
_HERE: dict[str, Sandbox] = {}


def _settle(places: Any, cores: list[int], compared: bool) -> None:
    """A worker's start: a core of its own for it and its children, strategies and libraries loaded, so that no clock sees that.

    It ends with the process that started it, which may be killed: nobody else would tell it to.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    with places.get_lock():
        place, places.value = places.value, places.value + 1
    os.sched_setaffinity(0, {cores[place % len(cores)]})
    import torch

    torch.set_num_threads(1)
    _HERE["box"] = Sandbox(time_limit=TIME_LIMIT)
    hunt(get(RIGHT), _HERE["box"], 0, WARM_SECONDS)
    for questions in baselines().values() if compared else ():
        next(iter(questions(get(RIGHT), 0)))


def _do(chore: Chore) -> list[Record]:
    return chore.do(_HERE["box"])


def work(chores: Iterable[Chore], path: Path, workers: int, *, compared: bool, tell: Callable[[str], None]) -> None:
    """Do the chores whose records `path` does not hold yet; a run that was killed goes on where it ended.

    Raises:
        UsageError: a worker died.
    """
    done = {line["chore"] for line in lines(path)}
    left = [chore for chore in chores if chore.key not in done]
    if not left:
        return
    context = mp.get_context("spawn")
    settled = (context.Value("i", 0), sorted(os.sched_getaffinity(0)), compared)
    with ProcessPoolExecutor(workers, context, _settle, settled) as pool, path.open("a", encoding="utf-8") as file:
        waiting: dict[Future, Chore] = {pool.submit(_do, chore): chore for chore in left}
        try:
            for number, future in enumerate(as_completed(waiting), 1):
                chore = waiting[future]
                file.write(json.dumps({"chore": chore.key, "records": future.result()}) + "\n")
                file.flush()
                tell(f"{number}/{len(left)} {chore.kind} {chore.names[0]}{' and others' * (len(chore.names) > 1)}")
        except BrokenProcessPool:
            raise UsageError(f"a worker died; the same command goes on where {path} ends") from None
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def lines(path: Path) -> list[dict]:
    """The lines of a file of chores; the last one may be half a line, if its writer was killed, and is taken off.

    Raises:
        SchemaError: another line is no such record.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    try:
        found = [json.loads(line) for line in whole.splitlines()]
        return [line for line in found if line["chore"]]
    except (ValueError, KeyError, TypeError):
        raise SchemaError(f"{path} is no file of chores: give another one, or remove it") from None
