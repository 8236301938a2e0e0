"""Campaigns in processes of their own, for the tests that kill them."""

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
# two ops in two stages are four shards; shrinking failures takes most of the time, so only one law can fail
SMALL = (*METHODS, "--law", "equals-the-definition", "--op", "fprop", "--op", "dgrad", "--dtype", "float32", "--examples", "30")
# fields that depend on when and where a run was started, and not on what it found
OF_THE_RUN = {"seconds", "after_seconds", "command"}


class Started:
    """The process of a campaign (or another `command`); its descendants are found by a mark in their environment."""

    def __init__(self, *words: object, cwd: Path | None = None, command: tuple[str, ...] = COMMAND, **more: object):
        self.mark = f"CONVLAWS_TEST={uuid.uuid4().hex}"
        name, _, value = self.mark.partition("=")
        self.process = subprocess.Popen(
            [*command, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
            env={**os.environ, name: value}, start_new_session=True, **more,
        )  # fmt: skip

    def ended(self, seconds: float = 300) -> subprocess.CompletedProcess:
        """Wait for its end and return its output and exit code."""
        out, err = self.process.communicate(timeout=seconds)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, err)

    def family(self) -> dict[int, str]:
        """Return {process id: command line} of itself and all its descendants, orphans included."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self.mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def workers(self) -> list[int]:
        """Return the process ids of its workers."""
        return [pid for pid, line in self.family().items() if "convlaws.campaign.worker" in line]

    def until(self, ready: Callable[[], object], seconds: float = 120) -> None:
        """Wait until `ready()` is true; fail if the process ends first or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(0.05)

    def orphans(self, seconds: float = 10) -> dict[int, str]:
        """Return the processes that are left after at most `seconds`, as `family` does."""
        deadline = time.monotonic() + seconds
        while (left := self.family()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left


def kill(pids: Iterable[int]) -> int:
    """Kill the processes and return how many could be killed."""
    count = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            count += 1
    return count


def campaign(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
    """Run a campaign to its end."""
    return Started(*words, cwd=cwd).ended()


@lru_cache
def calm() -> Path:
    """Return the folder of a small campaign that ran undisturbed; one for all tests of this process."""
    folder = Path(mkdtemp(prefix="convlaws-calm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    done = campaign(*SMALL, "--workers", "1", "--threads", "1", "-o", folder / "run")
    assert done.returncode == 1, done.stderr
    return folder / "run"


def records(folder: Path, kind: str = "shard") -> list[dict]:
    """Return the complete records of a kind."""
    found = []
    for path in sorted((folder / "records").glob("*.jsonl")):
        for line in path.read_text().splitlines(keepends=True):
            with suppress(ValueError):
                found.append(json.loads(line))
    return [record for record in found if record["kind"] == kind]


def summary(folder: Path) -> list[dict]:
    """Return the findings file of a campaign without the fields `OF_THE_RUN`."""
    lines = (folder / "findings.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in OF_THE_RUN} for line in lines]


def differences(one: list[dict], other: list[dict]) -> list[str]:
    """Return the differences of two summaries, field by field."""
    if len(one) != len(other):
        return [f"{len(one)} records, {len(other)} records"]
    apart = [(a, b, k) for a, b in zip(one, other, strict=True) for k in {**a, **b} if a.get(k) != b.get(k)]
    return [f"{a.get('id')} {k}: {a.get(k)!r:.200} {b.get(k)!r:.200}" for a, b, k in apart]
