"""The command as it is typed, but in this process, and one sandbox for all that ask for the usual one.

A process of the command's own imports NumPy and Hypothesis again, and a sandbox torch and SciPy: four seconds of a core, where
a judged case takes a hundredth. What is about the process itself (signals, workers, what is imported) still starts one.
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
    """A sandbox of which only the children end when it is closed: the next user gets fresh ones."""

    def close(self) -> None:
        """End the children."""
        self.refresh()


_lasting: dict[Path, Lasting] = {}


def _of(folder: Path) -> Lasting:
    """The sandbox whose children are in `folder`: one lasts for where the tests are run, and one for where the last one was."""
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
    """Whoever asks for the usual sandbox gets the one that lasts."""
    with patch.object(Setting, "runner", _runner):
        yield


def typed(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
    """The command's end; it never shows a traceback."""
    with one_sandbox(), chdir(cwd) if cwd else nullcontext():
        done = CliRunner().invoke(cli, list(map(str, words)), prog_name="convlaws")
    died = done.exception if not isinstance(done.exception, SystemExit) else None
    assert not died, "".join(traceback.format_exception(died))
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def convlaws(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess:
    """The end of a process of the command's own; it never shows a traceback. `typed` is the one in this process."""
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=180, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def refused(*words: str | Path, cwd: Path | None = None, by=convlaws) -> str:
    done = by(*words, cwd=cwd)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr
