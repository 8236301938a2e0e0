"""`convlaws schema`."""

from __future__ import annotations

from importlib import resources

import click


@click.command()
@click.argument("what", type=click.Choice(("findings", "timings")), default="findings")
def command(what) -> None:
    """Print the JSON Schema of the records of a findings file, or of the timings of 'compare --json'."""
    click.echo(resources.files("convlaws.reports").joinpath(f"{what}.schema.json").read_text(encoding="utf-8"), nl=False)
