"""Run the command line in this process, with one sandbox for all runs with the usual limits.

A process for each command would import NumPy and Hypothesis again, and its sandbox torch and SciPy: four seconds of a core, where
a judged case takes a hundredth. Tests of the process itself (signals, workers, imports) still start one.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import chdir, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner

from convlaws.cli.app import cli
from convlaws.sandbox.sandbox import Sandbox
from convlaws.sandbox.settings import Setting

COMMAND = (sys.executable, "-m", "convlaws")
USUAL = Setting().time_limit, Setting().memory_limit
HERE = Path.cwd()
_new = Setting.runner


class Lasting(Sandbox):
    """A sandbox whose `close` ends only the children: the next user gets fresh ones."""

    def close(self) -> None:
        """End the children."""
        self.refresh()


_lasting: dict[Path, Lasting] = {}


def _of(folder: Path) -> Lasting:
    """Return the sandbox whose children run in `folder`; one is kept for HERE, and one for the last other folder."""
    if folder not in _lasting:
        for other in [known for known in _lasting if known != HERE]:
            Sandbox.close(_lasting.pop(other))
        _lasting[folder] = sandbox = Lasting()
        atexit.register(Sandbox.close, sandbox)
    return _lasting[folder]


def _runner(setting: Setting):
    usual = setting.sandbox and (setting.time_limit, setting.memory_limit) == USUAL
    return _of(Path.cwd()) if usual else _new(setting)


@contextmanager
def one_sandbox() -> Iterator[None]:
    """Make `Setting.runner` return the shared sandbox for the usual limits."""
    with patch.object(Setting, "runner", _runner):
        yield


def typed(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
    """Run the command in this process; fail if it prints a traceback."""
    with one_sandbox(), chdir(cwd) if cwd else nullcontext():
        done = CliRunner().invoke(cli, list(map(str, words)), prog_name="convlaws")
    died = done.exception if not isinstance(done.exception, SystemExit) else None
    assert not died, "".join(traceback.format_exception(died))
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def convlaws(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess:
    """Run the command in a process of its own; fail if it prints a traceback. `typed` runs it in this process."""
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=180, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def refused(*words: str | Path, cwd: Path | None = None, by=convlaws) -> str:
    done = by(*words, cwd=cwd)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr
