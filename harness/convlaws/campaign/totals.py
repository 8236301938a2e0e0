"""Running totals of a campaign: the records of its shards, added up in any order of arrival.

Memory grows with the number of (method, law, op) and of distinct failures, not of records, so it stays flat for days.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from convlaws.campaign.shard import findings_of
from convlaws.errors import LineError, SpecError
from convlaws.judge.cell import UNSHRUNK
from convlaws.problem.features import features, said
from convlaws.problem.problem import Problem
from convlaws.records.finding import LEAST, CellId, Finding, Verdict, by_cell, counted, too_few
from convlaws.records.merge import tallies_of

Sort = tuple[str, ...]


def kind_of(finding: Finding) -> Sort:
    """The key by which failures count as one kind: the id of the known finding, or else the signature and features.

    The features are those of its shrunk line: two shrunk lines with the same ones are taken for the same mistake.
    """
    if finding.known:
        return ("known", finding.known, finding.signature)
    try:
        marks = features(Problem.parse(finding.problem))
    except (LineError, SpecError):
        return (finding.signature, finding.problem)
    return (finding.signature, *(f"{name} {said(value)}" for name, value in marks.items()))


def _size(finding: Finding) -> tuple[int, int, str]:
    return (len(finding.history), len(finding.problem), finding.problem)


@dataclass
class Total:
    """The sum of one (method, law, op) in one environment; `latest` is the finding of the shard that sorts last."""

    tally: Finding
    latest: Finding
    order: Sort
    asked: int = 0
    kept: bool = False
    refused: bool = True
    worst: float = 0.0
    small: dict[Sort, Finding] = field(default_factory=dict)
    raw: dict[Sort, Finding] = field(default_factory=dict)

    def add(self, records: list[Finding], order: Sort, *, first: bool) -> list[Finding]:
        """Add a shard's findings; return the failures that are new here, or smaller than before."""
        one = records[0]
        self.asked ^= zlib.crc32(" ".join((*order, one.asked)).encode())
        if not first:
            self.tally = replace(self.tally, **tallies_of([self.tally, one]))
        if order >= self.order:
            self.latest, self.order = one, order
        self.kept |= one.verdict is Verdict.KEPT
        self.refused &= one.verdict is Verdict.REFUSED
        self.worst = max([self.worst, *(f.worst_ratio for f in records if not f.verdict.bad)])
        return [f for f in records if f.verdict.bad and self._fail(f)]

    def _fail(self, f: Finding) -> bool:
        raw = UNSHRUNK in f.message and not f.known
        table, key = (self.raw, (f.signature,)) if raw else (self.small, kind_of(f))
        seen = table.get(key, f)
        best = min(seen, f, key=_size)
        news = not raw and not f.known and table.get(key, None) is not best
        table[key] = replace(best, flaky=max(seen.flaky, f.flaky)) if seen.flaky != f.flaky else best
        return news

    def signatures(self) -> set[str]:
        """The signatures of all its failures."""
        return {f.signature for f in (*self.small.values(), *self.raw.values())}

    def findings(self) -> list[Finding]:
        """One finding for each kind of failure, or one without a failure if there are none."""
        tallies = {**tallies_of([self.tally]), "asked": f"{self.asked:08x}"}
        shrunk = {f.signature for f in self.small.values()}
        bad = [*self.small.values(), *(f for f in self.raw.values() if f.signature not in shrunk)]
        if bad:
            ran = {id(f): f.ran for f in bad}
            return [replace(f, **{**tallies, "ran": ran[id(f)]}) for f in sorted(bad, key=_size)]
        verdict, message = self._verdict()
        return [replace(self.latest, verdict=verdict, message=message, worst_ratio=self.worst, **tallies)]

    def _verdict(self) -> tuple[Verdict, str]:
        examples, vacuous = self.tally.examples, self.tally.vacuous
        if self.refused:
            return Verdict.REFUSED, self.latest.message
        if examples < LEAST and not self.kept:
            return Verdict.VACUOUS, too_few(examples, vacuous)
        return Verdict.KEPT, "" if examples >= LEAST else f"on {counted(examples, 'example')} only"


@dataclass
class Totals:
    """The sums of a campaign, by environment.

    `judged`, `shards` and `seconds` are of shards that were judged completely; `failures` are those
    of attempts that were cut off, and count only if no complete shard shows them.
    """

    cells: dict[tuple[str, CellId], Total] = field(default_factory=dict)
    coverage: dict[str, dict[str, Any]] = field(default_factory=dict)
    judged: int = 0
    shards: int = 0
    seconds: float = 0.0
    failures: dict[tuple[str, CellId, str], Finding] = field(default_factory=dict)

    def add(self, record: Mapping[str, Any], header: Mapping[str, Any]) -> list[Finding]:
        """Add the record of a shard; return the new failures to save."""
        place = header["environment"]["id"]
        self.judged += record["judged"]
        self.shards += 1
        self.seconds += record["seconds"]
        order = (f"{record['seed']:010}", record["shard"])
        news: list[Finding] = []
        for key, records in by_cell(findings_of(record, header["laws"])).items():
            first = (place, key) not in self.cells
            total = self.cells.setdefault((place, key), Total(records[0], records[0], order))
            news += total.add(records, order, first=first)
        self.coverage[place] = summed(self.coverage.get(place, {}), record["coverage"])
        return news

    def copy(self) -> Totals:
        """A deep copy."""
        return deepcopy(self)

    def note(self, findings: Iterable[Finding], header: Mapping[str, Any]) -> None:
        """Add failures of an attempt that may not be completed."""
        place = header["environment"]["id"]
        for f in findings:
            key = (place, f.cell, f.signature)
            self.failures[key] = min(self.failures.get(key, f), f, key=_size)

    def places(self) -> list[str]:
        """The ids of the environments in which anything was judged."""
        return list(dict.fromkeys([place for place, _ in self.cells] + [place for place, _, _ in self.failures]))

    def findings(self, place: str, order: Mapping[CellId, int]) -> list[Finding]:
        """All findings in one environment, in the given order of the (method, law, op)."""
        by_key = {key: total.findings() for (where, key), total in self.cells.items() if where == place}
        for (where, key, signature), f in self.failures.items():
            total = self.cells.get((where, key))
            if where == place and not (total and signature in total.signatures()):
                known = [g for g in by_key.get(key, []) if g.verdict.bad]
                by_key[key] = [*known, f]
        keys = sorted(by_key, key=lambda key: (order.get(key, len(order)), key))
        return [f for key in keys for f in by_key[key]]

    def new(self) -> Iterator[Finding]:
        """The failures that no known finding explains, each kind once."""
        for place in self.places():
            yield from (f for f in self.findings(place, {}) if f.verdict.bad and not f.known)


def summed(one: Any, other: Any) -> Any:
    """Two coverage records added: numbers are summed, hexadecimal sets united, lists and tables merged item by item."""
    if isinstance(one, dict):
        return {k: summed(one[k], other[k]) if k in one and k in other else one.get(k, other.get(k)) for k in {**one, **other}}
    if isinstance(one, str):
        return f"{int(one, 16) | int(other, 16):x}"
    if isinstance(one, list):
        return [summed(a, b) for a, b in zip(one, other, strict=True)]
    return one + other
