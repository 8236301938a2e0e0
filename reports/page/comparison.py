"""The timings of `compare` as tables of the page: all problems together, then each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from convlaws.records.finding import Verdict
from convlaws.records.timing_file import Times, Timing
from convlaws.reports.ranking import LEGEND, amount, behind, error, failed, mebibytes, needs, together, unrest
from convlaws.reports.sanitize import one_line, plain

OPEN = 6  # largest number of problems whose tables are shown unfolded


@dataclass(frozen=True)
class ComparisonRow:
    """One method on one problem; `cells` are texts, `part` is the fastest time over its own, in percent."""

    method: str
    cells: list[str]
    part: float


@dataclass(frozen=True)
class ComparisonTable:
    """The table of one problem: `wrong` and `refused` have (method or methods, why)."""

    title: str
    line: str
    needs: str
    rows: list[ComparisonRow]
    wrong: list[tuple[str, str]]
    refused: list[tuple[str, str]]

    @property
    def answer(self) -> str:
        """Return the fastest method and its time."""
        return f"{self.rows[0].method}, {self.rows[0].cells[0]}" if self.rows else "no method has a time"


@dataclass(frozen=True)
class Choice:
    """The contents of the section; `together` is empty if there is one problem only."""

    tables: list[ComparisonTable]
    together: list[list[str]]
    machine: str
    unrest: str
    legend: str = LEGEND
    heads: tuple[str, ...] = ("median", "x fastest", "spread", "roofline", "GFLOP/s", "MiB", "error/slack")

    @property
    def folded(self) -> bool:
        """True if there are more than OPEN problems, so that each table is folded."""
        return len(self.tables) > OPEN


def choice(times: Times) -> Choice:
    """Return the section for a file of timings."""
    problems: dict[tuple[str, str], list[Timing]] = {}
    for t in times.timings:
        problems.setdefault((t.name, t.problem), []).append(t)
    groups = [sorted(group, key=lambda t: t.seconds or float("inf")) for group in problems.values()]
    all_of_them = [[plain(cell) for cell in row] for row in together(groups)] if len(groups) > 1 else []
    return Choice([_table(group) for group in groups], all_of_them, _machine(times.machine), unrest(times.timings))


def _table(timings: Sequence[Timing]) -> ComparisonTable:
    first = timings[0]
    timed = [t for t in timings if t.seconds]
    return ComparisonTable(
        title=plain(first.name),
        line=one_line(first.problem, 400),
        needs=needs(first),
        rows=[_row(t, timed[0]) for t in timed],
        wrong=[(plain(t.method), f"{failed(t)}: {plain(t.message, 300)}") for t in timings if t.verdict.bad],
        refused=_refused(timings),
    )


def _row(t: Timing, first: Timing) -> ComparisonRow:
    seconds, least = t.seconds or 1.0, first.seconds or 1.0
    shares = [f"{t.spread:.0%}", f"{t.share:.0%}" if t.bound else "", f"{t.rate / 1e9:.1f}"]
    cells = [amount(seconds), behind(t, first), *shares, mebibytes(t.memory), error(t.ratio)]
    return ComparisonRow(plain(t.method), cells, round(100 * least / seconds, 1))


def _refused(timings: Sequence[Timing]) -> list[tuple[str, str]]:
    reasons: dict[str, list[str]] = {}
    for t in timings:
        if t.verdict is Verdict.REFUSED:
            reasons.setdefault(plain(t.message, 300), []).append(plain(t.method))
    return [(", ".join(methods), reason) for reason, methods in reasons.items()]


def _machine(record: Mapping) -> str:
    """Return the machine of the measurement in a sentence; '' if the file does not have it."""
    around = record.get("environment")
    around = around if isinstance(around, Mapping) else {}
    said = [plain(around.get("cpu", ""))] if around.get("cpu") else []
    products, copying = record.get("products"), record.get("copying")
    if isinstance(products, Mapping):
        said += [f"{v / 1e9:,.0f} GFLOP/s in {plain(k)} products of matrices" for k, v in products.items() if _rate(v)]
    if _rate(copying):
        said.append(f"{copying / 1e9:,.1f} GB/s in copies")
    return "; ".join(said)


def _rate(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and value > 0
