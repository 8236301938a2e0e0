"""Parent-side handle of a worker process: start it pinned to its cores, read its records, reap it."""

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

# what libraries read to know how many threads to start; those that read none of them count the cores they are pinned to
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
WORDS = 400  # characters of its last output that are kept
GRACE = 5.0  # seconds to wait for the exit of a process whose pipe has ended


@dataclass(frozen=True)
class Post:
    """Settings of a worker: its plan, its number, its cores, and the folder for observations ('' for none)."""

    plan: CampaignPlan
    number: int
    observations: str = ""
    cores: tuple[int, ...] = ()


@dataclass
class WorkerProcess:
    """One worker process, the shard it judges, and the time at which its current case began.

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
            # a session of its own: the campaign handles Ctrl-C in the terminal, and tells the workers what to do
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
        """Its non-blocking output stream."""
        assert self.process.stdout is not None
        return self.process.stdout

    def _say(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):  # a dead process is noticed when its output ends
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def give(self, shard: Shard) -> None:
        """Send it a shard to judge."""
        self.shard, self.moved = shard, time.monotonic()
        self._say({"do": "shard", "shard": shard.to_record()})

    def stop(self, *, now: bool = False) -> None:
        """Tell it to finish the case in flight, or to cut it off now, to send its records, and to exit."""
        self._say({"do": "stop", "now": now})

    @property
    def at(self) -> int:
        """The number of the case in flight."""
        return struct.unpack_from("Q", self._page, 0)[0]

    def silent(self) -> float:
        """Seconds since it began the case in flight; 0 if it is idle."""
        if self.shard is None or self.at != self.case:
            self.case, self.moved = self.at, time.monotonic()
        return time.monotonic() - self.moved

    def hear(self) -> tuple[list[dict[str, Any]], bool]:
        """The complete records received so far, and True if its output has ended."""
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
        self._heard = bytearray(rest)  # after a death: an incomplete record, which is dropped
        records = [json.loads(line) for line in lines]
        for record in records:
            self.answered = True
            if record["kind"] in ("shard", "refused"):
                self.shard = None
        return records, over

    def reap(self) -> str:
        """Wait for it, killing it if necessary; return how it ended, in words."""
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
        """Kill it and its children at once."""
        theirs = descendants(self.process.pid)
        self.process.kill()
        kill(theirs)


def death(shard: Shard | None, at: int, how: str, worker: int) -> dict[str, Any]:
    """The record of a worker that ended before its shard did."""
    told = {"shard": shard.id if shard else "", "at": at, "how": how, "worker": worker}
    return {"kind": "death", "schema": SCHEMA, **told}
