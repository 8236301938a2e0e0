"""Worker processes of this package, each with a pipe of its own: started afresh, heard, and killed with all their children."""

from __future__ import annotations

import multiprocessing as mp
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from convlaws.sandbox.interrupt import deaf, descendants, kill


@dataclass
class PipeWorker:
    """A process and this end of its pipe.

    One pipe each: what a dying process leaves half-written in its own harms no other.
    """

    number: int
    process: Any
    pipe: Connection

    def receive(self) -> Any:
        """Return its next message.

        Raises:
            EOFError, OSError: it has ended, be it in the middle of a message.
        """
        if not self.pipe.poll() and not self.process.is_alive():
            raise EOFError("the process has ended")
        return self.pipe.recv()

    def exit_code(self) -> int | None:
        """Return its exit code, once it has ended."""
        self.process.join()
        return self.process.exitcode

    def kill(self) -> None:
        """Kill it and its children."""
        if self.process.pid and self.process.is_alive():
            kill([self.process.pid, *descendants(self.process.pid)])


@contextmanager
def spawned(target: Callable[..., None], arguments: Sequence[tuple]) -> Iterator[list[PipeWorker]]:
    """Start a process for each row of arguments: `target(*row, pipe)`. What is left of them is killed when the block ends."""
    context, workers = mp.get_context("spawn"), []
    try:
        with deaf():
            for number, row in enumerate(arguments):
                ours, theirs = context.Pipe()
                process = context.Process(target=target, args=(*row, theirs), daemon=True)
                workers.append(PipeWorker(number, process, ours))
                process.start()
                theirs.close()  # else the end of the pipe would not be seen here
        yield workers
    finally:
        for worker in workers:
            worker.pipe.close()
            worker.kill()


def ready(workers: Sequence[PipeWorker], seconds: float | None = None) -> list[PipeWorker]:
    """Return the workers that have said something or have ended, after waiting for one of them for at most `seconds`."""
    ends = wait([end for worker in workers for end in (worker.pipe, worker.process.sentinel)], timeout=seconds)
    return [worker for worker in workers if worker.pipe in ends or worker.process.sentinel in ends]
