"""What the options that several commands share mean."""

from __future__ import annotations

from typing import Any

import click

from convlaws.sandbox.settings import Setting
from convlaws.targets.plugins import left_out
from convlaws.targets.resolve import Calling

NONE = "none"  # in place of a file of known findings: those of the package explain nothing


def calling(o: dict[str, Any]) -> Calling:
    """How a user's function is called, and what an environment may fetch."""
    return Calling(
        signature=o["signature"] or "",
        arrays=o["arrays"] or "",
        contract=o["contract"],
        known_as=o.get("known_as", ""),
        isa=o.get("isa", ()),
        allow_large=o["allow_large"],
        say=lambda text: click.echo(f"convlaws: {text}", err=True),
    )


def setting(o: dict[str, Any]) -> Setting:
    """Sandbox or not, its limits, and the known findings."""
    files = [path for path in o.get("known", ()) if str(path) != NONE]
    return Setting(
        sandbox=not o["no_sandbox"],
        time_limit=o["time_limit"],
        memory_limit=o["memory_limit"] << 20,
        known=tuple(files),
        own_ledger=len(files) == len(o.get("known", ())),
    )


def warn() -> None:
    """Print them to the standard error."""
    for line in left_out:
        click.echo(f"convlaws: {line}", err=True)
