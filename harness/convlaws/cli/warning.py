"""What a command says before it begins: one line for each engine that could not be registered."""

from __future__ import annotations

import click

from convlaws.targets.plugins import left_out


def warn() -> None:
    """Print them to the standard error."""
    for line in left_out:
        click.echo(f"convlaws: {line}", err=True)
