"""Failing lines shared between machines, in an example database of Hypothesis.

Shards draw without a database, so that a seed gives the same draws everywhere. The lines in the database are judged
before the draws: they are shrunk failures from other machines and earlier runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta

from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase, GitHubArtifactDatabase, ReadOnlyDatabase

from convlaws.campaign.corpus import Kept, parsed, text_of
from convlaws.errors import UsageError

PREFIX = "convlaws:"
KEPT = timedelta(days=365)  # how long a line stays in Redis after it last failed; Hypothesis' eight days are less than a release
PAUSE = 30.0  # seconds between two attempts to reach an unavailable database


def opened(address: str) -> ExampleDatabase:
    """Open the database at `address`: a directory, redis://HOST:PORT, or github:OWNER/REPOSITORY (read-only).

    Raises:
        UsageError: there is no database, or a required package is not installed.
    """
    if address.startswith("github:"):
        owner, slash, name = address.removeprefix("github:").partition("/")
        if not (owner and slash and name):
            raise UsageError(f"{address!r} is no repository: it should be github:OWNER/REPOSITORY")
        return ReadOnlyDatabase(GitHubArtifactDatabase(owner, name))
    if address.startswith(("redis://", "rediss://", "unix://")):
        return _redis(address)
    return DirectoryBasedExampleDatabase(address)


def _redis(address: str) -> ExampleDatabase:
    try:
        import redis
        from hypothesis.extra.redis import RedisExampleDatabase
    except ImportError:
        raise UsageError(f"{address} needs a package: pip install 'convlaws[redis]'") from None
    try:
        client = redis.Redis.from_url(address, socket_timeout=5, socket_connect_timeout=5)
        client.ping()
    except (redis.RedisError, ValueError) as error:
        raise UsageError(f"{address} does not answer: {error}") from None
    return RedisExampleDatabase(client, expire_after=KEPT)


class Shared:
    """Failing lines shared by several machines. If the database is unavailable, the campaign goes on and writes are queued."""

    def __init__(self, address: str):
        self.address, self.database = address, opened(address)
        self.waiting: dict[bytes, bytes] = {}
        self.next_try = 0.0
        self.away = ""

    def load(self, methods: Iterable[str], laws: Iterable[str]) -> list[Kept]:
        """The lines of these methods and laws.

        Raises:
            UsageError: the database does not answer.
        """
        laws = list(laws)
        lines: list[Kept] = []
        for method in methods:
            for law in laws:
                try:
                    values = list(self.database.fetch(_key(method, law)))
                except Exception as error:  # of whatever library the database uses
                    raise UsageError(f"{self.address} does not answer: {error}") from None
                entries = (parsed(value.decode(errors="replace").strip()) for value in values)
                lines += [entry for entry in entries if entry and entry[:2] == (method, law)]
        return sorted(set(lines))

    def save(self, lines: Iterable[Kept]) -> None:
        """Save lines; while the database is unavailable, they are queued."""
        self.waiting |= {text_of([line]).encode(): _key(line[0], line[1]) for line in lines}
        self.flush()

    def flush(self, *, now: bool = False) -> None:
        """Try again to save the queued lines."""
        if isinstance(self.database, ReadOnlyDatabase):
            self.waiting.clear()
        if not self.waiting or (time.monotonic() < self.next_try and not now):
            return
        try:
            for value, key in list(self.waiting.items()):
                self.database.save(key, value)
                del self.waiting[value]
            self.away = ""
        except Exception as error:  # of whatever library the database uses
            self.away, self.next_try = str(error), time.monotonic() + PAUSE

    def close(self) -> None:
        """Try to save the queued lines a last time.

        Raises:
            UsageError: it is still unavailable; the corpus of the campaign has all lines.
        """
        self.flush(now=True)
        if self.waiting:
            raise UsageError(f"{len(self.waiting)} failing lines could not be put into {self.address}: {self.away}")


def _key(method: str, law: str) -> bytes:
    return f"{PREFIX}{method}:{law}".encode()
