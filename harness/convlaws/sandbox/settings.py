"""Settings for running methods: sandbox or not, limits, and known findings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from convlaws.sandbox.sandbox import InProcess, Sandbox


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Settings for running methods: sandbox or not, and limits; `observations` is where each draw is recorded.

    `profile` asks for where the time of a search goes.

    `known` are the user's files of known findings; without `own_ledger` those of the package are not used.
    """

    sandbox: bool = True
    time_limit: float = 20.0
    memory_limit: int = 4 << 30
    observations: Path | None = None
    profile: bool = False
    known: tuple[Path, ...] = ()
    own_ledger: bool = True

    def runner(self) -> Sandbox | InProcess:
        """Return a runner with these limits."""
        if not self.sandbox:
            return InProcess()
        return Sandbox(time_limit=self.time_limit, memory_limit=self.memory_limit)


@contextmanager
def running(setting: Setting) -> Iterator[Sandbox | InProcess]:
    """Yield a runner and close it afterwards."""
    runner = setting.runner()
    try:
        yield runner
    finally:
        runner.close()
