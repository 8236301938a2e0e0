"""A run as read from its file: the findings, and the summary with its settings and environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from convlaws.errors import SchemaError, UsageError
from convlaws.records.finding import Finding, load


@dataclass(frozen=True)
class RunFile:
    """A run and its findings; `summary` is empty if the run was stopped before it wrote one."""

    path: str
    findings: list[Finding]
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """The reasons why its file may be incomplete, as text."""
        if not self.summary:
            return ["it has no summary record: the run was cut off, or the file is not all of it"]
        cut = ["the run was interrupted"] if self.summary.get("interrupted") else []
        return cut + [str(said) for said in self.summary.get("lost") or []]

    def facts(self) -> dict[str, str]:
        """Settings and environment as a flat table: `torch`, `cpu`, `command`, `seed`, ..."""
        environment = self.summary.get("environment")
        command = self.summary.get("command")
        seed: dict[str, Any] = {name: self.summary[name] for name in ("seed", "draw") if name in self.summary}
        flat = _flat(environment if isinstance(environment, Mapping) else {})
        return {**flat, **_flat(seed), **({"command": " ".join(map(str, command))} if isinstance(command, list) else {})}


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        flat |= _flat(value) if isinstance(value, Mapping) else {name: str(value)}
    return flat


def read_records(path: Path) -> Iterator[Finding | dict]:
    """The records of a findings file, in order; each run's summary follows its findings.

    Raises:
        UsageError: the file cannot be read.
        SchemaError: a line is not a record; the message has FILE:LINE.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _record(line.decode("utf-8"))
        except (SchemaError, UnicodeDecodeError) as error:
            raise SchemaError(f"{path}:{number}: {error}") from None


def _record(line: str) -> Finding | dict:
    record = load(line)
    if record["kind"] == "finding":
        return Finding.of(record)
    if record["kind"] != "summary":
        raise SchemaError(f"a record of kind {str(record['kind'])[:40]!r}, this reads finding and summary")
    return record


def read_run(path: str | PathLike[str]) -> RunFile:
    """The run that `check --json` wrote to `path`.

    Raises:
        UsageError: the file cannot be read, or has no finding.
        SchemaError: a line is not a record; the message has FILE:LINE.
    """
    read = list(read_records(Path(path)))
    findings = [record for record in read if isinstance(record, Finding)]
    if not findings:
        raise UsageError(f"{path} has no findings: was it written by 'convlaws check --json'?")
    return RunFile(str(path), findings, read[-1] if isinstance(read[-1], dict) else {})


def unlike(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(name, old value, new value) of the facts that differ; '-' where one side has none."""
    names = [n for n in dict.fromkeys([*old, *new]) if old.get(n) != new.get(n)]
    return [(name, old.get(name, "-"), new.get(name, "-")) for name in names]
