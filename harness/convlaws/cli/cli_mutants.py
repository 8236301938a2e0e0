"""The command line of `convlaws mutants`."""

from __future__ import annotations

from pathlib import Path

import click


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
def mutants(names, **options) -> None:
    """Hunt the mutants (all, or those that names or globs select): which law kills which, how long it takes, what it shrinks to.

    The exit code is 1 if an easy or medium one is not found, or if a law kills none.
    """
    from convlaws.cli import mutants as command

    raise SystemExit(command.run(names, **options))
