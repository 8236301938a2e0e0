"""The command as it is typed, but in this process, and one sandbox for all that ask for the usual one.

A process of the command's own imports NumPy and Hypothesis again, and a sandbox torch and SciPy: four seconds of a core, where
a judged case takes a hundredth. What is about the process itself (signals, workers, what is imported) still starts one.
"""

from __future__ import annotations

import atexit
import subprocess
import traceback
from collections.abc import Iterator
from contextlib import chdir, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner

from convlaws.cli import cli
from convlaws.sandbox.client import Sandbox
from convlaws.workers import Setting

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
