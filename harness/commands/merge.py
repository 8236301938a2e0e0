"""`convlaws merge`."""

from __future__ import annotations

from pathlib import Path

import click

from convlaws.commands.outputs import Part
from convlaws.reports.shards import lines, shards
from convlaws.results import counted


def run(files: tuple[Path, ...], output: Path) -> None:
    """Write one file of what these hold; it may be one of them."""
    found, notes = shards(files)
    text = "".join(f"{line}\n" for line in lines(found))
    Part(output, lambda findings, done: text).write([], done=True)
    for note in notes:
        click.echo(f"convlaws: {note}", err=True)
    records = sum(len(group) for shard in found for group in shard.cells.values())
    places = len({shard.environment for shard in found})
    click.echo(f"{records:,} findings of {counted(len(found), 'run')} in {counted(places, 'environment')}")
