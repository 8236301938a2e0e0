"""`convlaws known`."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from random import Random

import click

from convlaws import known
from convlaws.cli import known_add
from convlaws.cli.options import FILE, isa
from convlaws.errors import UnknownName
from convlaws.judge.known_status import KINDS, KnownStatus, known_status
from convlaws.known import Known
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.records.finding import counted
from convlaws.sandbox.interrupt import INTERRUPTED, deferred_sigint
from convlaws.sandbox.settings import Setting, running
from convlaws.strategies.blocks import chance
from convlaws.targets.registry import Method, rows
from convlaws.targets.resolve import Calling, resolve

DRAWS = 300  # problems drawn for each scope, to estimate the fraction that an entry covers


class _ShowFirst(click.Group):
    """A group with a default command: 'known torch*' means 'known show torch*'."""

    def parse_args(self, ctx, args):
        """The arguments, with the default command inserted if none is named."""
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["show", *args])


@click.group(cls=_ShowFirst)
def command() -> None:
    """The known findings: what is wrong in which versions ('known [ID]...'), do they show here, and a ledger of your own."""


@command.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--check", "check_", is_flag=True, help="Run the exact lines of each on what is installed: does it still show?")
@click.option("--known", "files", multiple=True, type=FILE, metavar="FILE", help="Known findings of yours too; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
@isa
def show(ids, check_, files, as_json, isa) -> None:
    """The known findings (all, or those whose IDs or globs are given): what is wrong, in which versions, how much they hide.

    With --check the exit code is 1 if one is fixed within its versions, or shows outside of them.
    """
    raise SystemExit(run(ids, check=check_, as_json=as_json, files=files, levels=isa))


def run(ids: tuple[str, ...], *, check: bool, as_json: bool, files: tuple[Path, ...] = (), levels: tuple[str, ...] = ()) -> int:
    """Print the entries that `ids` name, run their lines if asked (at these ISA levels); return the exit code."""
    entries = _chosen(ids, files)
    if not check:
        click.echo(json.dumps([_record(k) for k in entries], indent=1) if as_json else "\n\n".join(map(_text, entries)))
        return 0
    statuses = []
    with running(Setting()) as runner, deferred_sigint() as interrupt:
        for entry in entries:
            if interrupt.requested:
                return INTERRUPTED
            statuses.append(known_status(entry, runner, methods=_at_levels(entry, levels)))
            if not as_json:
                click.echo(_stands(statuses[-1]))
    if as_json:
        click.echo(json.dumps([_standing_record(s) for s in statuses], indent=1))
    wrong = [s.entry.id for s in statuses if s.surprise]
    if wrong and not as_json:
        click.echo(f"\nthe ledger says otherwise of {', '.join(wrong)}: its versions or its lines should change")
    return int(bool(wrong))


def _at_levels(entry: Known, levels: tuple[str, ...]) -> list[Method]:
    """The functions that an entry names, and the rows that it names at these ISA levels."""
    named = [m for m in rows(*KINDS) if entry.names(m.name)]
    functions = [name for name in entry.methods if ":" in name and "*" not in name]
    return [*resolve(functions, Calling()), *(resolve([m.name for m in named], Calling(isa=levels)) if levels else [])]


def _chosen(ids: tuple[str, ...], files: tuple[Path, ...]) -> list[Known]:
    entries = known.load(files).entries
    for pattern in ids:
        if not any(fnmatchcase(k.id, pattern) for k in entries):
            raise UnknownName(f"no known finding {pattern!r}; there are {', '.join(k.id for k in entries)}")
    return [k for k in entries if not ids or any(fnmatchcase(k.id, pattern) for pattern in ids)]


@lru_cache(maxsize=64)
def _drawn(scope: Scope) -> list[Problem]:
    """Problems as a search draws them for a method of this scope, before a law narrows it."""
    return [drawn.problem for drawn in chance(scope, Random(0), DRAWS)]


def covered(entry: Known) -> float:
    """The fraction, from 0 to 1, of the problems drawn for the methods of an entry that it covers."""
    named = [p for m in rows("method", "engine", "compiled", "cuda") if entry.names(m.name) for p in _drawn(m.scope)]
    return sum(map(entry.covers, named)) / len(named) if named else 0.0


def _record(entry: Known) -> dict:
    return {
        "id": entry.id,
        "sentence": entry.sentence,
        "methods": list(entry.methods),
        "package": entry.package,
        "versions": entry.versions,
        "processor": list(entry.processor),
        "thread": entry.thread,
        "searched": entry.searched,
        "seen": list(entry.seen),
        "file": entry.file,
        "avoid": entry.avoid,
        "covered": round(covered(entry), 4),
        "lines": list(entry.lines),
    }


def _text(entry: Known) -> str:
    versions = f"{entry.package} {entry.versions}".strip() or "every version"
    where = f"; needs {', '.join(entry.processor)}" if entry.processor else ""
    how = "not asked" if entry.avoid else "failures explained"
    part = f"{covered(entry):.1%} of what is drawn for {', '.join(entry.methods)} ({how})"
    return "\n".join(
        [
            f"{entry.id}  ({versions}{where})",
            f"  {entry.sentence}",
            f"  thread: {entry.thread or 'none found'}" + (f" ({entry.searched})" if entry.searched else ""),
            f"  covers {part}; shown by {counted(len(entry.lines), 'line')}",
        ]
    )


def _stands(found: KnownStatus) -> str:
    lines = [f"  {times}/{found.rounds}  {line}" for line, times in found.lines.items()]
    return "\n".join([f"{found.entry.id}  {found}", *lines])


def _standing_record(found: KnownStatus) -> dict:
    fields = {"id": found.entry.id, "state": str(found.state), "why": found.why, "rounds": found.rounds}
    return {**fields, "lines": found.lines, "surprise": found.surprise}


command.add_command(known_add.command)
