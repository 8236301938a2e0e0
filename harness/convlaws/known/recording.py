"""Known findings derived from a run's failures, for a user's own ledger.

Failures of one package, op, dtype and signature at one level become one entry. Its region is exactly what
failed: for each feature, the values of the failing problems. Where a contract held for all answers of the
method, the entry requires it, so that a larger error in the same region is still new.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from convlaws.known import Known
from convlaws.problem.features import features
from convlaws.problem.problem import Problem
from convlaws.records.finding import Finding, Verdict, digest, name_parts
from convlaws.targets import isa
from convlaws.targets.registry import Method

DEFINITION = "equals-the-definition"  # the law whose findings record which contracts hold
NOT_LOOKED_INTO = "Recorded by 'convlaws known add'; nobody has looked into it yet."
MESSAGE = 200  # maximum characters of a failure's message in a sentence


@dataclass(frozen=True)
class RecordedFailure:
    """A failure of a run, with the environment of the run and the row or function that failed (None: a row unknown here)."""

    finding: Finding
    environment: Mapping[str, Any]
    method: Method | None

    @property
    def row(self) -> str:
        """The method's name without version and level."""
        return name_parts(self.finding.method)[0]

    @property
    def package(self) -> str:
        """The distribution that the row belongs to, '' for a function."""
        return self.method.package.name if self.method and self.method.package else ""

    @property
    def version(self) -> str:
        """The version of the package in that run, without its local part."""
        versions = self.environment.get("versions", {})
        return name_parts(self.finding.method)[1] or str(versions.get(self.package, "")).partition("+")[0]

    @property
    def flags(self) -> frozenset[str]:
        """The extensions of the processor that were visible to the method."""
        flags = str(self.environment.get("cpu_flags", "")).split()
        switches = self.method.switches if self.method else ()
        if not switches:
            return frozenset(flags)
        level = isa.level(name_parts(self.finding.method)[2] or isa.DEFAULT.name)
        set_by_run = self.environment.get("variables", {})
        return isa.visible(flags, switches[0], isa.variables(level, switches, set_by_run))

    @property
    def place(self) -> dict[str, str]:
        """The place where it was seen, as in the `seen` field of an entry."""
        return {"version": self.version, "cpu": str(self.environment.get("cpu", "")), "flags": " ".join(sorted(self.flags))}

    @property
    def needs(self) -> tuple[str, ...]:
        """The extensions of the highest level there, for a library that chooses its kernels by them."""
        engine = self.method is not None and self.method.package is not None
        return isa.highest(self.flags).needs if engine else ()

    @property
    def key(self) -> tuple[str, ...]:
        """The key of its entry: failures with the same key share one."""
        f = self.finding
        return (self.package or self.row, self.version, f.op, f.dtype, f.signature, *self.needs)


def entries_of(failures: Iterable[RecordedFailure], findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The entries, as JSON objects, that explain these failures of a run with these `findings`."""
    groups: dict[tuple[str, ...], list[RecordedFailure]] = {}
    for failure in failures:
        groups.setdefault(failure.key, []).append(failure)
    return [_entry(group, findings) for group in groups.values()]


def _entry(group: list[RecordedFailure], findings: Sequence[Finding]) -> dict[str, Any]:
    first = group[0]
    f, lines = first.finding, list(dict.fromkeys(g.finding.problem for g in group))
    held = _contract(group, findings)
    told = {
        "id": _id(first),
        "methods": sorted({g.row for g in group}),
        "package": first.package,
        "versions": f"=={first.version}" if first.package and first.version else "",
        "processor": list(first.needs),
        "regions": [_region([g.finding for g in group])],
        "signatures": [f.signature] if f.signature else [],
        "contracts": [held] if held else [],
        "lines": lines,
        "sentence": _sentence(group),
        "searched": "not searched for",
        "flaky": next((g.finding.flaky for g in group if g.finding.flaky), ""),
        "seen": [
            {"version": first.version, "cpu": str(first.environment.get("cpu", "")), "flags": " ".join(sorted(first.flags))}
        ],
    }
    return {name: value for name, value in told.items() if value}


def _id(failure: RecordedFailure) -> str:
    f = failure.finding
    words = (failure.package or failure.row.rpartition(":")[2], f.op, f.dtype, f.signature or f.verdict)
    stem = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")
    return f"{stem}-{digest('|'.join(failure.key))[:6]}"


def _region(findings: list[Finding]) -> dict[str, list[Any]]:
    """For each feature, the values of the failing problems."""
    region: dict[str, list[Any]] = {}
    for f in findings:
        at_line = {name: [value] for name, value in features(Problem.parse(f.problem)).items()}
        for name, values in [*at_line.items(), *f.within.items()]:
            region.setdefault(name, []).extend(v for v in values if v not in region.get(name, []))
    return {name: sorted(values, key=str) for name, values in region.items()}


def _contract(group: list[RecordedFailure], findings: Sequence[Finding]) -> str:
    """The tightest contract that all answers of these methods kept, where they broke their own; '' if none did."""
    if any(g.finding.verdict is not Verdict.BROKEN for g in group):
        return ""
    f, methods = group[0].finding, {g.finding.method for g in group}
    told = [d.holds.get(f.dtype, []) for d in findings if d.law == DEFINITION and d.op == f.op and d.method in methods]
    common = [name for name in told[0] if all(name in other for other in told)] if told else []
    return "" if f.contract in common else next(iter(common), "")


def _sentence(group: list[RecordedFailure]) -> str:
    f = group[0].finding
    laws = list(dict.fromkeys(g.finding.law for g in group))
    said = " ".join(f.message.split())[:MESSAGE].rstrip(".")
    many = f" and {len(laws) - 1} other laws" if len(laws) > 1 else ""
    return f"{f.op} in {f.dtype}: {said} (law {laws[0]}{many}). {NOT_LOOKED_INTO}"


def joined(old: Sequence[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries of a file with new ones added: an existing id gets the lines, regions and places that it lacks."""
    kept = {entry["id"]: dict(entry) for entry in old}
    for entry in new:
        there = kept.get(entry["id"])
        if there is None:
            kept[entry["id"]] = dict(entry)
            continue
        for name in ("methods", "regions", "lines", "seen"):
            there[name] = [*there.get(name, []), *(v for v in entry.get(name, []) if v not in there.get(name, []))]
    return list(kept.values())


def to_json(entries: Sequence[Mapping[str, Any]]) -> str:
    """The text of a file of entries."""
    return json.dumps(list(entries), indent=1, ensure_ascii=False) + "\n"


def to_record(entry: Known) -> dict[str, Any]:
    """An entry as a JSON object, without fields at their defaults."""
    plain = Known(id="", methods=())
    told = {f.name: getattr(entry, f.name) for f in fields(Known) if f.name != "file"}
    return {name: _thawed(value) for name, value in told.items() if value != getattr(plain, name)}


def _thawed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
