"""`convlaws mutants`: mutation testing of the judge."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path

import click

from convlaws.cli.report import write
from convlaws.cli.settings import warn
from convlaws.errors import UnknownName, UsageError
from convlaws.mutants.registry import Mutant
from convlaws.mutation import opinfo
from convlaws.mutation.jobs import QUICK, Budgets, chores, everybody
from convlaws.mutation.pool import work
from convlaws.mutation.publish import records, written
from convlaws.reports.mutation import atlas, kill_table, time_to_find
from convlaws.reports.mutation.records import Sight, joined
from convlaws.sandbox.interrupt import keeping

DATA = "mutants.jsonl"


@click.command()
@click.argument("names", nargs=-1, metavar="[MUTANT]...")
@click.option(
    "--docs", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write the records and the pages there."
)
@click.option(
    "--work", "work_path", type=click.Path(path_type=Path, dir_okay=False), default=Path("build/mutants.jsonl"),
    show_default=True, metavar="FILE", help="Where each result is kept at once; a run that was killed goes on from it.",
)  # fmt: skip
@click.option("--baselines", is_flag=True, help="Also hunt with uniform random problems and with PyTorch's own sample inputs.")
@click.option("--quick", is_flag=True, help="One seed and short budgets.")
@click.option(
    "--workers", type=click.IntRange(min=1), default=None, help="Processes, a core each (default: 2, or the CPUs if fewer)."
)
def command(names, **options) -> None:
    """Hunt the mutants (all, or those that names or globs select): which law kills which, how long it takes, what it shrinks to.

    The exit code is 1 if an easy or medium one is not found, or if a law kills none.
    """
    raise SystemExit(run(names, **options))


def run(
    patterns: tuple[str, ...], *, docs: Path | None, work_path: Path, quick: bool, baselines: bool, workers: int | None
) -> int:
    """Hunt the mutants, write the records and print the totals; return 1 if there is a complaint."""
    warn()
    chosen, budgets = _chosen(patterns), QUICK if quick else Budgets()
    if baselines and (missing := opinfo.absent()):
        raise UsageError(missing)
    wanted = chores(chosen, budgets, compared=baselines)
    work_path.parent.mkdir(parents=True, exist_ok=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a worker and its children share one core
    count = workers or min(2, os.cpu_count() or 1)
    with keeping(lambda: f"; the same command goes on where {work_path} ends"):
        work(wanted, work_path, count, compared=baselines, tell=lambda said: click.echo(said, err=True))
    rows = records(work_path, wanted, chosen, budgets)
    sight = joined(rows)
    if docs:
        _write(docs, written(rows), sight)
    return _say(sight, whole=not patterns and not quick)


def _chosen(patterns: Sequence[str]) -> list[Mutant]:
    """The mutants that names or globs select; all if none is given."""
    every = everybody()
    for pattern in patterns:
        if not any(fnmatchcase(m.name, pattern.removeprefix("mutant-")) for m in every):
            raise UnknownName(f"no mutant {pattern!r}; 'convlaws list mutants' shows all")
    names = [pattern.removeprefix("mutant-") for pattern in patterns] or ["*"]
    return [m for m in every if any(fnmatchcase(m.name, name) for name in names)]


def pages(sight: Sight) -> dict[str, str]:
    """The pages rendered from the records, by file name."""
    text = resources.files("convlaws.mutants").joinpath("threads.json").read_text(encoding="utf-8")
    bugs = [atlas.Bug.of(record) for record in json.loads(text)]
    return {
        "mutants.md": kill_table.page(sight),
        "time_to_find.md": time_to_find.page(sight),
        "atlas.md": atlas.page(bugs, sight),
    }


def _write(docs: Path, data: str, sight: Sight) -> None:
    for name, text in {DATA: data, **pages(sight)}.items():
        write(docs / name, text)
        click.echo(f"wrote {docs / name}")


def _say(sight: Sight, *, whole: bool) -> int:
    """Print totals and complaints; a law that kills nothing is a complaint only if all mutants were run."""
    count = sum(m.found for m in sight.guilty)
    click.echo(f"{count} of {len(sight.guilty)} mutants found")
    for m in sight.survivors:
        click.echo(f"not found: {m.name} ({m.about['difficulty']}) {m.about['reason']}".rstrip())
    complaints = [said for said in sight.complaints() if whole or not said.endswith("kills nothing")]
    for said in complaints:
        click.echo(f"convlaws: {said}", err=True)
    return 1 if complaints else 0
