"""Shard: the smallest unit of a campaign that is judged as a whole, and its record.

The result of a shard depends on the shard alone: it has its own seed, a fresh process for the code
under test, no database, no target and no clock, whichever worker runs it and whatever ran before.
So a shard that was cut off is judged again from its seed, and its id identifies it as the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from convlaws.judge.cell import BINS
from convlaws.records.finding import Finding, Verdict, digest

Pair = tuple[str, str]  # (law, method)
HISTOGRAMS = ("error_histogram", "terms_histogram")
OF_THE_LAW = ("says", "family", "specific")  # fields of a finding that the header of a file has once


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One unit of work that a single worker judges.

    `cells` are (law, methods) on `op`: all of them judge the same draws. `lines` are given problems instead of draws, each
    with its method, its law and the lines that have to run before it. Failures of the pairs in `quiet` are counted, not
    shrunk: earlier shards have shrunk enough of them. `stage` is its stage, which was planned from the results of earlier ones.
    """

    campaign: str
    lane: str
    stage: int
    seed: int
    examples: int = 0
    op: str = ""
    cells: tuple[tuple[str, tuple[str, ...]], ...] = ()
    quiet: tuple[Pair, ...] = ()
    lines: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    @property
    def id(self) -> str:
        """Digest (twelve hex digits) of all fields that its result depends on."""
        told = {name: value for name, value in asdict(self).items() if name != "stage"}
        return digest(json.dumps(told, sort_keys=True))

    @property
    def pairs(self) -> frozenset[Pair]:
        """Every (law, method) that it judges."""
        return frozenset((law, method) for law, methods in self.cells for method in methods)

    def __str__(self) -> str:
        what = f"{len(self.lines)} kept lines" if self.lines else f"{len(self.cells)} laws on {self.op}, seed {self.seed}"
        return f"{self.id} ({self.lane}: {what})"

    def to_record(self) -> dict[str, Any]:
        """The shard as a JSON object."""
        return {"id": self.id, **asdict(self)}

    @staticmethod
    def of(record: Mapping[str, Any]) -> Shard:
        """The shard of a record that `to_record` returned."""
        told = {f.name: _frozen(record[f.name]) for f in fields(Shard)}
        return Shard(**told)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


_PLAIN = Finding(method="", law="", op="", verdict=Verdict.KEPT)
_FIELDS = [f.name for f in fields(Finding) if f.name not in OF_THE_LAW]


def compact(finding: Finding) -> dict[str, Any]:
    """The record of a finding without fields at their defaults, and without trailing zeros in its histograms."""
    told = {name: getattr(finding, name) for name in _FIELDS}
    told |= {name: _cut(told[name]) for name in HISTOGRAMS}
    return {name: value for name, value in told.items() if name == "verdict" or value != getattr(_PLAIN, name)}


def _cut(counts: list[int]) -> list[int]:
    last = max((n for n, count in enumerate(counts) if count), default=-1)
    return counts[: last + 1]


def expanded(record: Mapping[str, Any], laws: Mapping[str, Mapping[str, Any]]) -> Finding:
    """The finding of a record that `compact` returned; `laws` is the law data in the header of its file."""
    counts = {name: record.get(name, []) for name in HISTOGRAMS}
    filled = {name: [*some, *[0] * (BINS - len(some))] for name, some in counts.items()}
    return Finding.of({"method": "", "law": "", "op": "", **laws.get(record["law"], {}), **record, **filled})


def findings_of(record: Mapping[str, Any], laws: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """The findings in a shard's record."""
    for cell in record["cells"]:
        yield expanded(cell, laws)
