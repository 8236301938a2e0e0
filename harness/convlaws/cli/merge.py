"""`convlaws merge`."""

from __future__ import annotations

from pathlib import Path

import click

from convlaws.cli.options import FILES
from convlaws.cli.outputs import OutputFile
from convlaws.records.finding import counted
from convlaws.records.runs import lines, shards


@click.command()
@FILES
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OUT.jsonl", help="Where to write them.")
def command(files, output) -> None:
    """Put findings files and folders of campaigns into one file: nothing is lost, nothing is counted twice."""
    run(files, output)


def run(files: tuple[Path, ...], output: Path) -> None:
    """Write the contents of these files and folders of campaigns to one file, which may be one of them."""
    folders = [path for path in files if path.is_dir()]
    campaigns, unfinished = _campaigns(folders)
    runs, notes = shards([path for path in files if path not in folders], campaigns)
    text = "".join(f"{line}\n" for line in lines(runs))
    OutputFile(output, lambda findings, done: text).write([], done=True)
    for note in unfinished + notes:
        click.echo(f"convlaws: {note}", err=True)
    records = sum(len(group) for shard in runs for group in shard.cells.values())
    places = len({shard.environment for shard in runs})
    click.echo(f"{records:,} findings of {counted(len(runs), 'run')} in {counted(places, 'environment')}")


def _campaigns(folders: list[Path]) -> tuple[list, list[str]]:
    """The runs in the folders of campaigns, and a note for each unfinished one."""
    if not folders:
        return [], []
    from convlaws.campaign.files import joined  # not at the top, so that files are merged without importing the methods

    return joined(folders)
