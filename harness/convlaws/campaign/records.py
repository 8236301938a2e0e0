"""The records of a campaign: one append-only file of JSON lines per worker; a kill costs at most the line being written."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from convlaws.errors import SchemaError, UsageError
from convlaws.records.finding import SCHEMA, dump, load

FOLDER = "records"
MAIN = "main"  # the campaign's own file: deaths, crashes, sessions
SYNC = 1.0  # seconds of records that a power cut may cost; a kill costs nothing that was written


TAIL = 16 << 20  # bytes at the end of a file that contain its last whole line; a line takes 20 to 100 kB


class DiskError(UsageError):
    """The records cannot be written any more."""


def whole(data: bytes) -> int:
    """The number of bytes of a file that are whole record lines; a kill or a power cut damages only the end."""
    end = data.rfind(b"\n") + 1
    start = data.rfind(b"\n", 0, max(end - 1, 0)) + 1
    with suppress(SchemaError, UnicodeDecodeError):
        if end:
            load(data[start:end].decode("utf-8"))
        return end
    return start


class RecordFile:
    """One append-only file of records."""

    def __init__(self, path: Path):
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        size = os.fstat(self.fd).st_size
        start = max(0, size - TAIL)
        self.size = start + whole(os.pread(self.fd, TAIL, start))
        os.ftruncate(self.fd, self.size)  # cut off a partly written last line
        self.synced = time.monotonic()

    def append(self, record: dict[str, Any], *, sync: bool = False) -> None:
        """Append a line, all or nothing.

        Raises:
            OSError: the write failed; the file is unchanged.
        """
        line = f"{dump(record)}\n".encode()
        try:
            written = 0
            while written < len(line):
                written += os.pwrite(self.fd, line[written:], self.size + written)
            if sync or time.monotonic() - self.synced > SYNC:
                os.fsync(self.fd)
                self.synced = time.monotonic()
        except OSError:
            with suppress(OSError):
                os.ftruncate(self.fd, self.size)
            raise
        self.size += len(line)

    def close(self) -> None:
        """Sync the file to disk and close it."""
        with suppress(OSError):
            os.fsync(self.fd)
        os.close(self.fd)


class Records:
    """All record files of a running campaign; only one process may hold them (lock).

    Raises:
        UsageError: another process holds them, or the folder is not writable.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.files: dict[str, RecordFile] = {}
        try:
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
            self.lock = os.open(folder / FOLDER, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in files(folder):  # cut off the partly written line that a kill left
                self._file(path.stem)
        except BlockingIOError:
            raise UsageError(f"another campaign is at work in {folder}") from None
        except OSError as error:
            raise UsageError(f"cannot write to {folder}: {error.strerror}") from None

    def _file(self, name: str) -> RecordFile:
        if name not in self.files:
            self.files[name] = RecordFile(self.folder / FOLDER / f"{name}.jsonl")
        return self.files[name]

    def append(self, name: str, record: dict[str, Any], *, sync: bool = False) -> None:
        """Append a record to a file.

        Raises:
            DiskError: no space left; all that was written before stays.
        """
        try:
            self._file(name).append({"schema": SCHEMA, **record}, sync=sync)
        except OSError as error:
            raise DiskError(f"{self.folder} cannot be written to any more: {error.strerror}") from None

    def close(self) -> None:
        """Sync all files to disk, and release the lock."""
        for file in self.files.values():
            file.close()
        self.files.clear()
        os.close(self.lock)


def files(folder: Path) -> list[Path]:
    """The record files, in order."""
    return sorted((folder / FOLDER).glob("*.jsonl"))


def read(folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (record, header of its file) for every whole line.

    Raises:
        UsageError: a file cannot be read.
        SchemaError: a line other than the last is not a record; the message has FILE:LINE.
    """
    for path in files(folder):
        header: dict[str, Any] = {}
        for record in _lines(path):
            if record["kind"] == "worker":
                header = record
            else:
                yield record, header


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            last = b""
            for number, line in enumerate(file, 1):
                if last:
                    yield _record(path, number - 1, last)
                last = line
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if last and whole(last):
        yield json.loads(last)


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        return load(line.decode("utf-8"))
    except (SchemaError, UnicodeDecodeError) as error:
        raise SchemaError(f"{path}:{number}: {error}") from None
