"""Chores run by several processes, one core each; their records are written to the file as soon as a chore is done."""

from __future__ import annotations

import ctypes
import json
import multiprocessing as mp
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from convlaws.errors import HarnessError, SchemaError, UsageError
from convlaws.mutation.hunt import hunt
from convlaws.mutation.jobs import RIGHT, Chore, Record, baselines
from convlaws.sandbox.interrupt import deaf, descendants, hear, kill
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.registry import get

TIME_LIMIT = 2.0  # seconds a call: problems of mutants are small, and a hang costs this much each time
WARM_SECONDS = 3.0
PR_SET_PDEATHSIG = 1


# --- in a worker ------------------------------------------------------------------------
def _serve(pipe: Connection, core: int, compared: bool) -> None:
    """Run the chores that arrive, until the pipe closes; SIGINT is ignored, as the parent process handles it."""
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
@dataclass
class _Worker:
    """A process pinned to one core, which its children share, and the chore that it runs."""

    process: Any
    pipe: Connection
    chore: Chore | None = None

    def give(self, waiting: deque[Chore]) -> None:
        """Send it the next chore, if there is one."""
        self.chore = waiting.popleft() if waiting else None
        if self.chore:
            with suppress(OSError):  # a dead process is noticed when its records are read
                self.pipe.send(self.chore)

    def hear(self) -> list[Record]:
        """Read the records of its chore.

        Raises:
            EOFError, OSError: the process died.
        """
        told = self.pipe.recv()
        if isinstance(told, HarnessError):
            raise told
        return told


@contextmanager
def _pool(count: int, compared: bool) -> Iterator[list[_Worker]]:
    """Start `count` workers; they are killed when the block ends, also by an exception."""
    context, cores = mp.get_context("spawn"), sorted(os.sched_getaffinity(0))
    workers: list[_Worker] = []
    try:
        with deaf():
            for number in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs, cores[number % len(cores)], compared), daemon=True)
                workers.append(_Worker(process, ours))
                process.start()
                theirs.close()
        yield workers
    finally:
        for worker in workers:
            worker.pipe.close()
            if worker.process.pid:
                kill([worker.process.pid, *descendants(worker.process.pid)])


def _answers(workers: list[_Worker], left: list[Chore]) -> Iterator[tuple[Chore, list[Record]]]:
    """Each chore with its records, as they are done."""
    waiting = deque(left)
    for worker in workers:
        worker.give(waiting)
    while busy := [worker for worker in workers if worker.chore]:
        ready = wait([worker.pipe for worker in busy])
        for worker in [w for w in busy if w.pipe in ready]:
            chore, records = worker.chore, worker.hear()
            worker.give(waiting)
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
    with path.open("a", encoding="utf-8") as file, _pool(min(workers, len(left)), compared) as pool:
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
