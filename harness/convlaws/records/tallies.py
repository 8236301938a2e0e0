"""Cases that known findings explain, and problems that they exclude from a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from convlaws.records.finding import CellId, Finding, Verdict


@dataclass(frozen=True, kw_only=True)
class Share:
    """The cases that one known finding explains or excludes. A case is a problem put to a method under a law.

    `cells` counts the (method, law, op) in which it explains a failure, `cases` all cases drawn for the
    methods where it explains or excludes any, excluded ones included.
    """

    id: str
    explained: int
    avoided: int
    cells: int
    cases: int

    @property
    def share(self) -> float:
        """The fraction of `cases` that is explained or excluded, from 0 to 1."""
        return (self.explained + self.avoided) / self.cases if self.cases else 0.0

    def record(self) -> dict:
        """The record for the summary of a run."""
        return {**asdict(self), "share": round(self.share, 6)}


def cells_of(findings: Iterable[Finding]) -> dict[CellId, Finding]:
    """One finding for each (method, law, op), as several of the same one repeat its tallies."""
    return {f.cell: f for f in findings}


def shares(findings: Sequence[Finding]) -> list[Share]:
    """The Share of each known finding that explains or excludes any case, by id."""
    cells = list(cells_of(findings).values())
    cases = {f.method: 0 for f in cells}
    for f in cells:
        cases[f.method] += f.drawn + sum(f.avoided.values())
    return [_share(name, cells, cases) for name in sorted({name for f in cells for name in (*f.explained, *f.avoided)})]


def _share(name: str, cells: list[Finding], cases: dict[str, int]) -> Share:
    touched = [f for f in cells if name in f.explained or name in f.avoided]
    return Share(
        id=name,
        explained=sum(f.explained.get(name, 0) for f in touched),
        avoided=sum(f.avoided.get(name, 0) for f in touched),
        cells=sum(name in f.explained for f in touched),
        cases=sum(cases[method] for method in {f.method for f in touched}),
    )


def counts(findings: list[Finding]) -> dict:
    """The number of findings of each verdict, and the number of failures that are known."""
    by = {str(v): sum(f.verdict is v for f in findings) for v in Verdict}
    return {"verdicts": by, "known": sum(bool(f.known) for f in findings if f.verdict.bad)}
