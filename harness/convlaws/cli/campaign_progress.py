"""Progress of a campaign: a bar in a terminal, else a line from time to time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from convlaws.campaign.run import Campaign
from convlaws.campaign.shared_lines import Shared
from convlaws.cli.progress import tidied
from convlaws.records.finding import counted

FIRST, EVERY = 5.0, 30.0  # seconds until the first plain line, and between later ones


def clock(seconds: float) -> str:
    """A duration as text.

    >>> clock(42), clock(4000), clock(200_000)
    ('42 s', '1 h 06 min', '2 d 7 h')
    """
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    if seconds < 120:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def share(campaign: Campaign, budget: float | None) -> float:
    """The fraction done, from 0 to 1: of the budget's time, else of the shards."""
    if budget:
        return min(campaign.elapsed / budget, 1.0)
    return campaign.schedule.share()


def sentence(campaign: Campaign, budget: float | None) -> str:
    """Progress as text: cases, rate, failures, shards and the time left."""
    here = time.monotonic() - campaign.began
    cases = campaign.judged + (campaign.pool.cases() if campaign.pool else 0)
    part = share(campaign, budget)
    # in a resumed session, the speed is that of this session only
    began = campaign.before / budget if budget else campaign.share_before
    left = here * (1 - part) / (part - began) if part > began else 0.0
    said = f"{cases:,} cases, {cases / here if here else 0:,.0f} a second, {counted(campaign.kinds, 'new failure')}"
    crashed = f", {counted(len(campaign.schedule.crashed), 'shard')} given up" if campaign.schedule.crashed else ""
    done, planned = campaign.schedule.progress()
    return f"{said}{crashed}; {done:,} of {planned:,} shards planned so far{f', {clock(left)} left' if left else ''}"


@contextmanager
def progress(budget: float | None, shared: Shared | None) -> Iterator[Callable[[Campaign], None]]:
    """Yield a function that shows a campaign's progress on stderr, and saves queued lines to `shared`."""
    with _shown(budget) as show:

        def notify(campaign: Campaign) -> None:
            show(campaign)
            if shared:
                shared.flush()

        yield notify


@contextmanager
def _shown(budget: float | None) -> Iterator[Callable[[Campaign], None]]:
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (BarColumn(), TextColumn("{task.percentage:3.0f}%"), TextColumn("{task.description}"))
        with tidied(console), Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("starting", total=1.0)
            yield lambda c: bar.update(task, completed=share(c, budget), description=sentence(c, budget))
        return
    due = time.monotonic() + FIRST

    def plain(campaign: Campaign) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + EVERY
            click.echo(f"convlaws: {clock(campaign.elapsed)}: {sentence(campaign, budget)}", err=True)
            sys.stderr.flush()

    yield plain
