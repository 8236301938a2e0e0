"""`convlaws report`, and the page that `convlaws check --report` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from convlaws import known
from convlaws.cli.outputs import OutputFile
from convlaws.errors import UsageError
from convlaws.records.merge import Run, merged
from convlaws.records.timing_file import read_times
from convlaws.reports.page.page import Beside, render
from convlaws.reports.page.speed import read_speed


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FINDINGS.jsonl...", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE.html", help="Where to write the page."
)
@click.option(
    "--since",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="OLD.jsonl",
    help="Also say what changed since this earlier file; may be repeated.",
)
@click.option("--speed", type=click.Path(path_type=Path), metavar="PATH", help="Results of asv: .asv/results, or one file of it.")
@click.option(
    "--times", type=click.Path(path_type=Path), metavar="FILE", help="What 'compare --json' wrote: which one should I use?"
)
def command(files, output, since, speed, times) -> None:
    """Make one self-contained HTML page of findings files."""
    run(files, output, since, speed, times)


def run(files: Sequence[Path], output: Path, since: Sequence[Path], speed: Path | None, times: Path | None = None) -> None:
    """Write the page of these findings files, and print where it is."""
    before = merged(since) if since else None
    write(output, page(merged(files), before, speed, times))
    click.echo(f"wrote {output}")


def page(found: Run, before: Run | None = None, speed: Path | None = None, times: Path | None = None) -> str:
    """The page of a run; the facts on known findings come from this installation's own ledger."""
    sentences = {entry.id: f"{entry.sentence} {entry.thread}".strip() for entry in known.load().entries}
    return render(found, Beside(before, read_speed(speed) if speed else None, sentences, read_times(times) if times else None))


def write(path: Path, text: str) -> None:
    """Write a page.

    Raises:
        UsageError: the file cannot be written.
    """
    part: OutputFile[str] = OutputFile(path, lambda records, done: text)
    try:
        part.write([], done=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}{part.forget()}") from None
