"""A worker's process, from outside: started with its share of the machine, heard, and buried."""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.shard import Shard
from convlaws.records.finding import SCHEMA
from convlaws.sandbox.interrupt import descendants, kill

# what libraries read to know how many threads to start; those that read nothing see the cores that they are pinned to
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
WORDS = 400  # characters of its last output
GRACE = 5.0  # seconds for a process whose pipe has ended


@dataclass(frozen=True)
class Post:
    """Where a worker works: its plan, its number, and the folder of its observations ('' for none)."""

    plan: CampaignPlan
    number: int
    observations: str = ""
    cores: tuple[int, ...] = ()


@dataclass
class WorkerProcess:
    """One process, what it is judging, and since when it has not begun another case.

    Raises:
        OSError: it cannot be started.
    """

    post: Post
    shard: Shard | None = None
    answered: bool = False
    _heard: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        beat = os.memfd_create("convlaws-beat", os.MFD_CLOEXEC)
        os.ftruncate(beat, mmap.PAGESIZE)
        self._page = mmap.mmap(beat, 8)
        self._log = os.memfd_create("convlaws-worker", os.MFD_CLOEXEC)
        try:
            # a session of its own: Ctrl-C in the terminal is for the campaign, which says what is to be done
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "convlaws.campaign.worker"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, pass_fds=[beat], env=self._environment(),
                start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(beat)
        os.set_blocking(self.out.fileno(), False)
        self.moved, self.case = time.monotonic(), 0
        post = {"number": self.post.number, "observations": self.post.observations, "cores": self.post.cores}
        self._say({"do": "plan", "plan": self.post.plan.to_record(), "beat": beat, **post})

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **dict.fromkeys(THREADS, str(self.post.plan.threads))}

    @property
    def out(self) -> IO[bytes]:
        """Its answers; never blocks."""
        assert self.process.stdout is not None
        return self.process.stdout

    def _say(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):  # a dead one is noticed by its silence
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def give(self, shard: Shard) -> None:
        """Have it judge a shard."""
        self.shard, self.moved = shard, time.monotonic()
        self._say({"do": "shard", "shard": shard.to_record()})

    def stop(self, *, now: bool = False) -> None:
        """Have it finish the case in flight, or cut it off now, tell what there is, and end."""
        self._say({"do": "stop", "now": now})

    @property
    def at(self) -> int:
        """The number of the case in flight."""
        return struct.unpack_from("Q", self._page, 0)[0]

    def silent(self) -> float:
        """Seconds since it began the case in flight; 0 if it has nothing to do."""
        if self.shard is None or self.at != self.case:
            self.case, self.moved = self.at, time.monotonic()
        return time.monotonic() - self.moved

    def hear(self) -> tuple[list[dict[str, Any]], bool]:
        """The whole records that came, and whether there will be no more."""
        over = False
        while True:
            try:
                piece = os.read(self.out.fileno(), 1 << 16)
            except BlockingIOError:
                break
            over = not piece
            if over:
                break
            self._heard += piece
        *lines, rest = bytes(self._heard).split(b"\n")
        self._heard = bytearray(rest)  # of a dead one: half a record, which nobody counts
        records = [json.loads(line) for line in lines]
        for record in records:
            self.answered = True
            if record["kind"] in ("shard", "refused"):
                self.shard = None
        return records, over

    def reap(self) -> str:
        """How it ended, in words; it is killed if it has not."""
        assert self.process.stdin is not None
        try:
            code = self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        with suppress(OSError):
            self.process.stdin.close()
        self.out.close()
        said = self._last_output()
        os.close(self._log)
        self._page.close()
        how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
        return f"{how}{f': {said}' if said else ''}"

    def _last_output(self) -> str:
        size = os.fstat(self._log).st_size
        text = os.pread(self._log, WORDS, max(0, size - WORDS)).decode(errors="replace").strip()
        return "".join(c if c.isprintable() else " " for c in text.splitlines()[-1]) if text else ""

    def kill(self) -> None:
        """End it and its children at once."""
        theirs = descendants(self.process.pid)
        self.process.kill()
        kill(theirs)


def death(shard: Shard | None, at: int, how: str, worker: int) -> dict[str, Any]:
    """The record of a worker that ended before its shard did."""
    told = {"shard": shard.id if shard else "", "at": at, "how": how, "worker": worker}
    return {"kind": "death", "schema": SCHEMA, **told}
