"""The contract that each method keeps: one row per method, one column per dtype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convlaws.records.finding import Finding
from convlaws.reports import console
from convlaws.reports.sanitize import plain

NOTHING = "not compared"


@dataclass(frozen=True)
class ContractTable:
    """The dtypes of the columns, and (method, its contracts) for each row."""

    dtypes: list[str]
    rows: list[tuple[str, list[str]]]


def table(findings: Sequence[Finding]) -> ContractTable | None:
    """Return the table of a file; None if it does not have it."""
    mine: dict[str, list[Finding]] = {}
    for f in findings:
        if f.holds:
            mine.setdefault(f.method, []).append(f)
    contracts = {method: console.held(some) for method, some in mine.items()}
    dtypes = list(dict.fromkeys(dtype for held in contracts.values() for dtype in held))
    rows = [(plain(method), [plain(held.get(dtype, NOTHING)) for dtype in dtypes]) for method, held in contracts.items()]
    return ContractTable([plain(dtype) for dtype in dtypes], rows) if rows else None
