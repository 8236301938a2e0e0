"""Several findings files as one run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

from convlaws.errors import SchemaError, UsageError
from convlaws.results import Finding, load, read


@dataclass(frozen=True)
class Run:
    """Findings, each once, the summary record of each file, and in words what is missing."""

    findings: list[Finding]
    summaries: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def places(self) -> dict[str, str]:
        """For each environment the words that tell it from the others."""
        return {}

    def apart(self) -> list[Finding]:
        """The findings; where there are several environments, each method's name says in which."""
        return self.findings


def merged(paths: Iterable[str | PathLike[str]]) -> Run:
    """The findings of all files; of those with one id, the examples are added up.

    Raises:
        UsageError: a file cannot be read. SchemaError: a line is no record; the message has FILE: line N.
    """
    found: dict[str, Finding] = {}
    summaries: list[dict] = []
    for path in paths:
        lines = _lines(path)
        try:
            for f in read(lines):
                found[f.id] = _added(found[f.id], f) if f.id in found else f
        except SchemaError as error:
            raise SchemaError(f"{path}: {error}") from error
        summaries += [record for record in map(load, lines) if record["kind"] == "summary"]
    return Run(list(found.values()), summaries)


def _lines(path: str | PathLike[str]) -> list[str]:
    try:
        return [line for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from error


def _added(one: Finding, other: Finding) -> Finding:
    return replace(one, examples=one.examples + other.examples, drawn=one.drawn + other.drawn)
