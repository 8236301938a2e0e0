"""Settings from the options that several commands share."""

from __future__ import annotations

from typing import Any

import click

from convlaws.sandbox.settings import Setting
from convlaws.targets.plugins import left_out
from convlaws.targets.resolve import Calling

KEPT, FOUND, NOTHING = 0, 1, 5  # exit codes: nothing new failed, something did, nothing was verified
NONE = "none"  # in place of a file of known findings: the package's own entries explain nothing


def calling(o: dict[str, Any]) -> Calling:
    """How a user's function is called, and if large downloads for an environment are allowed."""
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
    """The settings for running methods: sandbox, limits, known findings."""
    files = [path for path in o.get("known", ()) if str(path) != NONE]
    return Setting(
        sandbox=not o["no_sandbox"],
        time_limit=o["time_limit"],
        memory_limit=o["memory_limit"] << 20,
        known=tuple(files),
        own_ledger=len(files) == len(o.get("known", ())),
    )


def warn() -> None:
    """Print the list `left_out` to standard error."""
    for line in left_out:
        click.echo(f"convlaws: {line}", err=True)
