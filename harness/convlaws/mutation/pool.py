"""Chores run by several processes, one core each; their records are written to the file as soon as a chore is done."""

from __future__ import annotations

import ctypes
import json
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from convlaws.errors import HarnessError, SchemaError, UsageError
from convlaws.mutation.hunt import hunt
from convlaws.mutation.jobs import RIGHT, Chore, Record, baselines
from convlaws.sandbox.interrupt import hear
from convlaws.sandbox.sandbox import Sandbox
from convlaws.sandbox.workers import PipeWorker, ready, spawned
from convlaws.targets.registry import get

TIME_LIMIT = 2.0  # seconds a call: problems of mutants are small, and a hang costs this much each time
WARM_SECONDS = 3.0
PR_SET_PDEATHSIG = 1


# --- in a worker ------------------------------------------------------------------------
def _serve(core: int, compared: bool, pipe: Connection) -> None:
    """Run the chores that arrive on one core, which its children share, until the pipe closes; SIGINT is the parent's."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # end with the parent, even if that is killed
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hear()
    os.sched_setaffinity(0, {core})
    with suppress(EOFError, BrokenPipeError), Sandbox(time_limit=TIME_LIMIT) as box:
        _settle(box, compared)
        while True:
            pipe.send(_done(pipe.recv(), box))


def _settle(box: Sandbox, compared: bool) -> None:
    """Load strategies and libraries in advance, so that no measured time includes it."""
    import torch

    torch.set_num_threads(1)
    hunt(get(RIGHT), box, 0, WARM_SECONDS)
    for questions in baselines().values() if compared else ():
        next(iter(questions(get(RIGHT), 0)))


def _done(chore: Chore, box: Sandbox) -> list[Record] | HarnessError:
    try:
        return chore.do(box)
    except HarnessError as error:
        return error


# --- here -------------------------------------------------------------------------------
def _answers(workers: list[PipeWorker], left: list[Chore]) -> Iterator[tuple[Chore, list[Record]]]:
    """Each chore with its records, as they are done.

    Raises:
        EOFError, OSError: a worker died.
    """
    waiting, given = deque(left), dict[int, Chore | None]()

    def give(worker: PipeWorker) -> None:
        given[worker.number] = chore = waiting.popleft() if waiting else None
        if chore:
            with suppress(OSError):  # a dead process is noticed when its records are read
                worker.pipe.send(chore)

    for worker in workers:
        give(worker)
    while busy := [worker for worker in workers if given[worker.number]]:
        for worker in ready(busy):
            chore, records = given[worker.number], worker.receive()
            if isinstance(records, HarnessError):
                raise records
            give(worker)
            assert chore is not None
            yield chore, records


def work(chores: Iterable[Chore], path: Path, workers: int, *, compared: bool, tell: Callable[[str], None]) -> None:
    """Run the chores whose records are not yet in `path`; a run that was killed continues where it ended.

    Raises:
        UsageError: a worker died.
    """
    done = {line["chore"] for line in lines(path)}
    left = [chore for chore in chores if chore.key not in done]
    if not left:
        return
    cores = sorted(os.sched_getaffinity(0))
    rows = [(cores[number % len(cores)], compared) for number in range(min(workers, len(left)))]
    with path.open("a", encoding="utf-8") as file, spawned(_serve, rows) as pool:
        try:
            for number, (chore, records) in enumerate(_answers(pool, left), 1):
                file.write(json.dumps({"chore": chore.key, "records": records}) + "\n")
                file.flush()
                tell(f"{number}/{len(left)} {chore.kind} {chore.names[0]}{' and others' * (len(chore.names) > 1)}")
        except (EOFError, ConnectionError):
            raise UsageError(f"a worker died; the same command goes on where {path} ends") from None


def lines(path: Path) -> list[dict]:
    """The lines of a file of chores; an incomplete last line (its writer was killed) is removed from the file.

    Raises:
        SchemaError: another line is not such a record.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    try:
        entries = [json.loads(line) for line in whole.splitlines()]
        return [line for line in entries if line["chore"]]
    except (ValueError, KeyError, TypeError):
        raise SchemaError(f"{path} is no file of chores: give another one, or remove it") from None
