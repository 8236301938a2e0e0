"""Output files of a run: each is written to a partial file beside it, updated during the run, and renamed at the end.

During the run, `FILE.part` holds the results so far. A run that is killed leaves it, and
leaves FILE unchanged; a run that completes replaces FILE in one step.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Generic, TypeVar

from convlaws.errors import UsageError
from convlaws.records.finding import CellId, Finding, by_cell
from convlaws.reports.markdown import LIMIT, ROOM, markdown
from convlaws.sandbox.interrupt import keep, release

Record = TypeVar("Record")
Render = Callable[[list[Finding], bool], str]
REST = 10  # after a write, wait this many times as long as the write took


class OutputFile(Generic[Record]):
    """One output file. A path that is no regular file (/dev/stdout, a pipe) is written to at the end only."""

    def __init__(self, path: Path, render: Callable[[list[Record], bool], str]):
        self.direct = path.exists() and not path.is_file()
        # a symbolic link is kept: its target is replaced
        self.path, self.render, self.made = path if self.direct else path.resolve(), render, False
        try:
            if self.path.is_dir() or (self.path.exists() and not os.access(self.path, os.W_OK)):
                self.path.open("a").close()  # raises the error with the reason
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.part = self.path if self.direct else self._fresh()
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
        keep(self.forget)

    @property
    def _next(self) -> Path:
        """The temporary file that replaces the partial file."""
        return self.part.with_name(f".{self.part.name}~")  # hidden, so that FILE* matches complete files only

    def _fresh(self) -> Path:
        """A new partial file: an existing one is the only result of another run."""
        for number in count(1):
            part = self.path.with_name(f"{self.path.name}.part{number if number > 1 else ''}")
            try:
                part.touch(exist_ok=False)
            except FileExistsError:
                continue
            break
        return part

    def write(self, records: list[Record], *, done: bool = False) -> None:
        """Write these records atomically; with `done`, rename the file to its final path."""
        text = self.render(records, done)
        if not text and not done:  # rendered at the end only
            return
        if self.direct:
            if done:
                self.path.write_text(text, encoding="utf-8")
            return
        self._next.write_text(text, encoding="utf-8")
        self._next.replace(self.part)
        self.made = True
        if done:
            if self.path.exists():
                shutil.copymode(self.path, self.part)
            self.part.replace(self.path)
            release(self.forget)

    def forget(self) -> str:
        """Delete the files if nothing was written; else return a sentence on where the partial file is."""
        release(self.forget)
        if self.direct:
            return ""
        self._next.unlink(missing_ok=True)
        if self.made:
            return f"; what was found until then is in {self.part}"
        self.part.unlink(missing_ok=True)
        return ""


class Appended:
    """A file that other programs write to as well ($GITHUB_STEP_SUMMARY): a summary is appended."""

    def __init__(self, path: Path):
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a", encoding="utf-8").close()
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None

    def append(self, findings: list[Finding]) -> None:
        """Append the summary, cut so that the file stays under the limit."""
        try:
            room = LIMIT - self.path.stat().st_size
            if room < ROOM * 4:
                raise UsageError(f"{self.path} has {self.path.stat().st_size:,} bytes: there is no room for a summary")
            with self.path.open("a", encoding="utf-8") as file:
                file.write(markdown(findings, room=room))
        except OSError as error:
            raise UsageError(f"the summary could not be written: {error}") from None


class Outputs:
    """All output files of a run, and the findings to write; a thread of its own writes them."""

    def __init__(self, wanted: dict[Path, Render]):
        self.parts: list[OutputFile[Finding]] = []
        try:
            self.parts += (OutputFile(path, render) for path, render in wanted.items())
        except UsageError:
            self.forget()
            raise
        self._cells: dict[CellId, list[Finding]] = {}
        self._news, self._over, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._scribe = threading.Thread(target=self._keep_writing, daemon=True)
        self._scribe.start()

    def see(self, event: dict) -> None:
        """Take the findings of an event: they replace earlier ones of their cells."""
        if event.get("findings") and self.parts:
            with self._lock:
                self._cells |= by_cell(event["findings"])
            self._news.set()

    def _keep_writing(self) -> None:
        while not self._over.is_set():
            self._news.wait()
            self._news.clear()
            started = time.monotonic()
            with self._lock:
                findings = [f for group in self._cells.values() for f in group]
            try:
                for part in self.parts if findings and not self._over.is_set() else ():
                    part.write(findings)
            except OSError:
                continue  # possibly a full disk: reported at the end if it still is
            self._over.wait(REST * (time.monotonic() - started))

    def _stop(self) -> None:
        self._over.set()
        self._news.set()
        self._scribe.join()

    def finish(self, findings: list[Finding]) -> None:
        """Write all findings, and rename the files to their final paths."""
        self._stop()
        try:
            for part in self.parts:
                part.write(findings, done=True)
        except OSError as error:
            left = "".join(part.forget() for part in self.parts if part.part.exists())
            raise UsageError(f"the findings above could not be written: {error}{left}") from None

    def abandon(self) -> str:
        """Stop writing after an error; return a sentence on where the partial files are."""
        self._stop()
        return self.forget()

    def forget(self) -> str:
        """Release the files; return a sentence on the partial files that remain."""
        return "".join(part.forget() for part in self.parts)
