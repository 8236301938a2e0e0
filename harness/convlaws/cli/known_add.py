"""`convlaws known add`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import click

from convlaws import known
from convlaws.cli.options import FILE
from convlaws.cli.outputs import OutputFile
from convlaws.errors import UnknownName, UsageError
from convlaws.known.recording import RecordedFailure, entries_of, joined, to_json, to_record
from convlaws.records.finding import Finding, counted, name_parts
from convlaws.records.runs import RecordedRun, shards
from convlaws.targets.registry import KINDS, Method, rows
from convlaws.targets.resolve import Calling, resolve


@click.command("add")
@click.argument("findings", type=FILE, metavar="FINDINGS.jsonl")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("-o", "--output", type=FILE, required=True, metavar="FILE", help="The ledger to write; what is there stays.")
def command(findings, ids, output) -> None:
    """Record the new failures of a run (all, or those of these IDs) in a ledger of your own, for 'check --known FILE'."""
    raise SystemExit(run(findings, ids, output))


def run(findings: Path, ids: tuple[str, ...], output: Path) -> int:
    """Write the ledger and print its new entries; return the exit code."""
    old = [to_record(entry) for entry in known.read_file(output)] if output.exists() else []
    runs, _ = shards([findings])
    every = [f for run in runs for group in run.cells.values() for f in group]
    chosen = _chosen(every, ids, findings)
    failures = [RecordedFailure(f, _environment(runs, f), _method(f)) for f in chosen]
    new = entries_of(failures, every)
    text = to_json(joined(old, new))
    known.parsed(str(output), text)  # check that the written file can be read
    OutputFile(output, lambda records, done: text).write([], done=True)
    for entry in new:
        click.echo(f"{entry['id']}  {counted(len(entry['lines']), 'line')}: {entry['sentence']}")
    click.echo(f"{output}: {counted(len(new), 'known finding')} of {counted(len(chosen), 'failure')}; look into each,")
    click.echo(f"then run: convlaws check ... --known {output}")
    return 0


def _chosen(every: list[Finding], ids: tuple[str, ...], file: Path) -> list[Finding]:
    """The failures to record: those of these ids, or all that are not known."""
    bad = [f for f in every if f.verdict.bad]
    for pattern in ids:
        if not any(fnmatchcase(f.id, pattern) for f in bad):
            raise UnknownName(f"{file} has no failure {pattern!r}; there are {', '.join(f.id for f in bad) or 'none'}")
    chosen = [f for f in bad if (any(fnmatchcase(f.id, pattern) for pattern in ids) if ids else not f.known)]
    if not chosen:
        raise UsageError(f"{file} has no new failure: there is nothing to record")
    return chosen


def _environment(runs: list[RecordedRun], f: Finding) -> dict:
    summary = next((run.summary for run in runs if run.run == f.run and run.summary), None)
    environment = (summary or {}).get("environment", {})
    return environment if isinstance(environment, dict) else {}


def _method(f: Finding) -> Method | None:
    """The row or the function that failed; None if it is not available here."""
    row = name_parts(f.method)[0]
    table = {m.name: m for m in rows(*KINDS, absent=True)}
    if ":" not in row:
        return table.get(row)
    try:
        return resolve([row], Calling())[0]
    except UsageError:
        return None
