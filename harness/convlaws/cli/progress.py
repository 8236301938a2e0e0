"""Progress display: a bar in a terminal, else nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from convlaws.sandbox.interrupt import keeping

CLEAR_AND_SHOW = b"\r\x1b[2K\x1b[?25h"  # clear the line, show the cursor


@contextmanager
def tidied(console: Console) -> Iterator[None]:
    """Context in which a display may hide the terminal's cursor: it is shown again even if the process is ended."""

    def tidy() -> str:
        if console.is_terminal:
            os.write(2, CLEAR_AND_SHOW)
        return ""

    with keeping(tidy):
        yield


@contextmanager
def progress(counted) -> Iterator[Callable[[dict], None]]:
    """Yield a function that takes the events of a search and shows them on stderr."""
    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.percentage:3.0f}%"), TextColumn("{task.description}"), TimeElapsedColumn())
    with tidied(console), Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=1.0)
        failures = []

        def notify(event: dict) -> None:
            counted.see(event)
            if "failure" in event:
                failures.append(event["failure"])
            said = f"{counted.total:,} cases, {len(failures)} failures"
            done = max(event.get("progress", 0.0), bar.tasks[0].completed)
            bar.update(task, completed=done, description=said)

        yield notify
