"""Runs in findings files: assign records to runs, and detect duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from convlaws.records.finding import CellId, Finding, by_cell, digest, dump
from convlaws.records.run_file import read_records

Place = str | PathLike[str]
KILLED = "a run was ended before it was done; what it had found until then is here"


@dataclass
class RecordedRun:
    """One run: for each (method, law, op) its records, one for each kind of failure."""

    run: str
    environment: str = ""
    cells: dict[CellId, list[Finding]] = field(default_factory=dict)
    summary: dict | None = None

    def take(self, key: CellId, records: list[Finding]) -> None:
        """Add the records of a cell, which may be present already from a copy or from an earlier state of the same run."""
        kinds: dict[tuple, list[Finding]] = {}
        for f in [*self.cells.get(key, []), *records]:
            f.run, f.environment = f.run or self.run, f.environment or self.environment
            kinds.setdefault((f.signature, f.known) if f.verdict.bad else (), []).append(f)
        kept = [f for some in kinds.values() for f in _furthest(some)]
        self.cells[key] = [f for f in kept if f.verdict.bad] or kept

    def conclude(self, summary: dict) -> None:
        """Set the run's summary; that of a finished run replaces that of an unfinished one."""
        if self.summary is None or self.summary.get("unfinished"):
            self.summary = {**summary, "run": self.run}


def _furthest(some: list[Finding]) -> list[Finding]:
    """Of records of one kind those with the most problems drawn, each failing problem once."""
    most = max(f.drawn for f in some)
    return list({f.problem if f.verdict.bad else "": f for f in some if f.drawn == most}.values())


def shards(paths: Iterable[Place], more: Iterable[RecordedRun] = ()) -> tuple[list[RecordedRun], list[str]]:
    """The runs in these files and the given `more`, each once; and notes on what is missing.

    Raises:
        UsageError: a file cannot be read.
        SchemaError: a line is not a record; the message has FILE:LINE.
    """
    by_run: dict[str, RecordedRun] = {}
    notes = []
    for part in more:
        _join(by_run, part)
    for path in dict.fromkeys(map(Path, paths)):
        ended: dict[str, bool] = {}
        for part in _parts(path):
            _join(by_run, part)
            ended[part.run] = ended.get(part.run, False) or bool(part.summary and not part.summary.get("unfinished"))
        if not ended:
            notes.append(f"{path} is empty: the run that wrote it was ended before it had found anything")
        notes += [f"{path}: {KILLED}" for done in ended.values() if not done]
    return list(by_run.values()), notes


def _join(found: dict[str, RecordedRun], part: RecordedRun) -> None:
    shard = found.setdefault(part.run, RecordedRun(part.run, part.environment))
    for key, records in part.cells.items():
        shard.take(key, records)
    if part.summary:
        shard.conclude(part.summary)


def _parts(path: Path) -> Iterator[RecordedRun]:
    """The runs of one file, in order: findings, then their summary."""
    pending: list[Finding] = []
    for record in read_records(path):
        if isinstance(record, Finding):
            pending.append(record)
        else:
            yield from split(pending, record)
            pending = []
    if pending:
        yield from split(pending, None)


def split(findings: list[Finding], summary: dict | None) -> Iterator[RecordedRun]:
    """Group the findings before a summary by run; those without an id belong to the summary's run, or to a run of their own."""
    own, place = str((summary or {}).get("run") or ""), ""
    if summary and isinstance(facts := summary.get("environment"), dict):
        place = str(facts.get("id") or digest(dump(facts)))
        summary = {**summary, "environment": {**facts, "id": place}}
    if not own and (summary or not all(f.run for f in findings)):
        own = digest("\n".join([*(f.to_line() for f in findings), dump(summary or {})]))
    by_run: dict[str, list[Finding]] = {own: []} if summary else {}
    for f in findings:
        by_run.setdefault(f.run or own, []).append(f)
    for run, some in by_run.items():
        environment = next((f.environment for f in some if f.environment), place if run == own else "")
        shard = RecordedRun(run, environment, summary=summary if run == own else None)
        for key, records in by_cell(some).items():
            shard.take(key, records)
        yield shard


def lines(found: Sequence[RecordedRun]) -> Iterator[str]:
    """The records of these runs, line by line and not added up, so that merging merged files equals merging all at once."""
    for shard in found:
        yield from (f.to_line() for records in shard.cells.values() for f in records)
        if shard.summary:
            yield dump(shard.summary)
