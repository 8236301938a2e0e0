"""Campaigns as processes, for the tests that kill them."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

COMMAND = (sys.executable, "-m", "convlaws", "campaign")
METHODS = ("im2col", "mutant-forgotten-dilation", "mutant-wrong-dtype")
# two ops in two stages are four shards; most of the time goes into making failures small, so there is one law to fail
SMALL = (*METHODS, "--law", "equals-the-definition", "--op", "fprop", "--op", "dgrad", "--dtype", "float32", "--examples", "30")
# what depends on when and where a run was started, and not on what it found
OF_THE_RUN = {"seconds", "after_seconds", "command"}


class Started:
    """A campaign's process (or that of another `command`), whose descendants are known by a mark in their environment."""

    def __init__(self, *words: object, cwd: Path | None = None, command: tuple[str, ...] = COMMAND, **more: object):
        self.mark = f"CONVLAWS_TEST={uuid.uuid4().hex}"
        name, _, value = self.mark.partition("=")
        self.process = subprocess.Popen(
            [*command, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
            env={**os.environ, name: value}, start_new_session=True, **more,
        )  # fmt: skip

    def ended(self, seconds: float = 300) -> subprocess.CompletedProcess:
        """What it printed, once it has ended."""
        out, err = self.process.communicate(timeout=seconds)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, err)

    def family(self) -> dict[int, str]:
        """The command lines of all processes that descend from it, wherever they are now, by their ids."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self.mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def workers(self) -> list[int]:
        """The ids of its workers."""
        return [pid for pid, line in self.family().items() if "convlaws.campaign.worker" in line]

    def until(self, ready: Callable[[], object], seconds: float = 120) -> None:
        """Wait for something that it does."""
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(0.05)

    def orphans(self, seconds: float = 10) -> dict[int, str]:
        """Who is left of it after a while."""
        deadline = time.monotonic() + seconds
        while (left := self.family()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left


def kill(pids: Iterable[int]) -> int:
    """How many of them could be killed."""
    count = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            count += 1
    return count


def campaign(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
    """A campaign that runs to its end."""
    return Started(*words, cwd=cwd).ended()


@lru_cache
def calm() -> Path:
    """The folder of a small campaign to which nothing happens; one for all tests of this process."""
    folder = Path(mkdtemp(prefix="convlaws-calm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    done = campaign(*SMALL, "--workers", "1", "--threads", "1", "-o", folder / "run")
    assert done.returncode == 1, done.stderr
    return folder / "run"


def records(folder: Path, kind: str = "shard") -> list[dict]:
    """The whole records of a kind."""
    found = []
    for path in sorted((folder / "records").glob("*.jsonl")):
        for line in path.read_text().splitlines(keepends=True):
            with suppress(ValueError):
                found.append(json.loads(line))
    return [record for record in found if record["kind"] == kind]


def summary(folder: Path) -> list[dict]:
    """All that a campaign found and says of itself, but for times."""
    lines = (folder / "findings.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in OF_THE_RUN} for line in lines]


def differences(one: list[dict], other: list[dict]) -> list[str]:
    """Where two summaries differ, field by field."""
    if len(one) != len(other):
        return [f"{len(one)} records, {len(other)} records"]
    apart = [(a, b, k) for a, b in zip(one, other, strict=True) for k in {**a, **b} if a.get(k) != b.get(k)]
    return [f"{a.get('id')} {k}: {a.get(k)!r:.200} {b.get(k)!r:.200}" for a, b, k in apart]
