"""The method x law matrix, and the per-method sheets that its cells link to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from convlaws.problem.problem import OPS
from convlaws.records.finding import Finding, Verdict
from convlaws.reports.page.families import family, order
from convlaws.reports.sanitize import one_line, plain, ratio
from convlaws.reports.states import FAILED, LOOKS, Look, look, state, worst

ROOMY = 12  # columns up to which a cell has room for its numbers


@dataclass(frozen=True)
class MatrixCell:
    """The worst look of some findings, with their examples and worst ratio; `to` is the anchor of the evidence."""

    look: Look
    examples: int = 0
    ratio: str = ""
    to: str = ""

    @property
    def words(self) -> str:
        """Return the text alternative of the cell's symbol."""
        if self.look.state in ("refused", "not tried"):
            return self.look.state
        return f"{self.look.state} {self.examples}" + (f" {self.ratio}" if self.ratio else "")


@dataclass(frozen=True)
class Row:
    """A law and its cells."""

    law: str
    says: str
    family: str
    cells: list[MatrixCell]

    @property
    def quiet(self) -> bool:
        """True if every method that takes the law keeps it, and at least one does."""
        states = {c.look.state for c in self.cells}
        return "kept" in states and states <= {"kept", "refused", "not tried"}


@dataclass(frozen=True)
class MatrixColumn:
    """A method (or an op, if there is one method only)."""

    name: str
    to: str = ""


@dataclass(frozen=True)
class Matrix:
    """The matrix, one row per law and one column per method."""

    columns: list[MatrixColumn]
    rows: list[Row]

    @cached_property
    def roomy(self) -> bool:
        """True if cells have room for numbers."""
        return len(self.columns) <= ROOMY

    @cached_property
    def loud(self) -> list[tuple[str, list[Row]]]:
        """Return the rows that are not quiet, by family."""
        return _by_family([r for r in self.rows if not r.quiet])

    @cached_property
    def quiet(self) -> list[tuple[str, list[Row]]]:
        """Return the quiet rows, by family."""
        return _by_family([r for r in self.rows if r.quiet])


def _by_family(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    titles = dict.fromkeys(r.family for r in rows)
    return [(title, [r for r in rows if r.family == title]) for title in titles]


def cell(findings: Sequence[Finding], to: str = "") -> MatrixCell:
    """Return one cell of a matrix; findings of one (law, op) share their examples."""
    shown = worst(findings)
    examples = {f.cell: f.examples for f in findings}
    errors = max((f.worst_ratio for f in findings if f.verdict is Verdict.KEPT), default=0.0)
    return MatrixCell(shown, sum(examples.values()), ratio(errors) if shown.state == "kept" else "", to)


def matrix(findings: Sequence[Finding], methods: Sequence[str], anchors: Mapping[str, str], *, sheeted: bool = True) -> Matrix:
    """Return laws x methods, or laws x ops if there is one method only.

    `anchors`: the card of each failing finding; `sheeted`: each method has a sheet to link to.
    """
    single = len(methods) == 1
    ops = [op for op in OPS if any(f.op == op for f in findings)]
    columns = (
        [MatrixColumn(op) for op in ops]
        if single
        else [MatrixColumn(m, f"m{i}" if sheeted else "") for i, m in enumerate(methods)]
    )
    place: Callable[[Finding], str] = (lambda f: f.op) if single else (lambda f: f.method)
    laws = {f.law: f.says for f in findings}
    table: dict[tuple[str, str], list[Finding]] = {}
    for f in findings:
        table.setdefault((f.law, place(f)), []).append(f)
    rows = []
    for law in sorted(laws, key=order):
        there = [(table.get((law, c.name), []), c) for c in columns]
        rows.append(Row(plain(law), one_line(laws[law], 300), family(law), [cell(fs, _to(fs, c, anchors)) for fs, c in there]))
    return Matrix([MatrixColumn(plain(c.name), c.to) for c in columns], rows)


def _to(findings: Sequence[Finding], column: MatrixColumn, anchors: Mapping[str, str]) -> str:
    """Return the anchor of the card of the worst failure, or of the method's own table."""
    shown = worst(findings)
    bad = [anchors[f.id] for f in findings if look(f) is shown and f.id in anchors]
    return bad[0] if bad else column.to if findings else ""


# --- by method ---------------------------------------------------------------------
@dataclass(frozen=True)
class Sheet:
    """A method: its counts, a cell for each family of laws, and a row of ops for each law."""

    name: str
    to: str
    counts: dict[str, int]
    least: int
    median: float
    worst: str
    families: list[MatrixCell]
    ops: list[str]
    laws: list[tuple[str, list[MatrixCell]]]
    refused: int  # laws that it refuses for every op


def sheets(findings: Sequence[Finding], methods: Sequence[str], anchors: Mapping[str, str]) -> tuple[list[str], list[Sheet]]:
    """Return (the titles of the families, a sheet for each method)."""
    laws = sorted({f.law for f in findings}, key=order)
    titles = list(dict.fromkeys(map(family, laws)))
    mine: dict[str, list[Finding]] = {m: [] for m in methods}
    for f in findings:
        mine[f.method].append(f)
    return titles, [_sheet(m, f"m{i}", mine[m], titles, laws, anchors) for i, m in enumerate(methods)]


def _sheet(name: str, to: str, findings: list[Finding], titles: list[str], laws: list[str], anchors: Mapping[str, str]) -> Sheet:
    counts = {s: sum(state(f) == s for f in findings) for s in LOOKS}
    judged = [f.examples for f in findings if f.verdict is not Verdict.REFUSED] or [0]
    errors = max((f.worst_ratio for f in findings if f.verdict is Verdict.KEPT), default=0.0)
    families = [_share([f for f in findings if family(f.law) == t], to) for t in titles]
    ops = [op for op in OPS if any(f.op == op for f in findings)]
    by: dict[tuple[str, str], list[Finding]] = {}
    for f in findings:
        by.setdefault((f.law, f.op), []).append(f)
    rows = [(law, [by.get((law, op), []) for op in ops]) for law in laws]
    shown = [(law, cells) for law, cells in rows if any(worst(c).state not in ("refused", "not tried") for c in cells)]
    table = [(plain(law), [cell(c, _to(c, MatrixColumn(""), anchors)) for c in cells]) for law, cells in shown]
    middle = median(judged)
    return Sheet(plain(name), to, counts, min(judged), middle, ratio(errors), families, ops, table, len(rows) - len(shown))


def _share(findings: list[Finding], to: str) -> MatrixCell:
    """Return the worst state of a family and, as `examples`, how many (law, op) are in it."""
    shown = worst(findings)
    return MatrixCell(shown, len({(f.law, f.op) for f in findings if look(f) is shown}), "", to if findings else "")


def failed(counts: Mapping[str, int]) -> int:
    """Return the number of new failures."""
    return sum(counts[s] for s in FAILED)
