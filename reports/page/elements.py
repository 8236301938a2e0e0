"""The wrong elements listed in a failure, as texts: the value, the allowed interval, the distance to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, isnan

from convlaws.records.finding import Finding
from convlaws.reports.sanitize import number, plain, ratio

MOST_ROWS = 6


@dataclass(frozen=True)
class Element:
    """One wrong element as texts: its value, the allowed interval, and its distance to that interval."""

    at: str
    got: str
    allowed: str
    slack: str
    outside: str


def elements(f: Finding) -> list[Element]:
    """Return the worst element, then the first ones, as many as fit."""
    rows = f.evidence.get("elements") if isinstance(f.evidence, Mapping) else None
    return [_element(row) for row in (rows if isinstance(rows, list) else [])[:MOST_ROWS] if isinstance(row, Mapping)]


def _element(row: Mapping) -> Element:
    got, low, high = (str(row.get(name, "")) for name in ("got", "low", "high"))
    allowed = f"exactly {number(low)}" if low == high else f"{number(low)} to {number(high)}"
    where = row.get("at")
    at = f"({', '.join(plain(i, 12) for i in where[:8])})" if isinstance(where, list) else ""
    return Element(at, number(got), allowed, *_distance(got, low, high))


def _distance(got: str, low: str, high: str) -> tuple[str, str]:
    """Return (slack, distance to the interval) as texts; the slack is half of the interval's width."""
    try:
        value, least, most = float(got), float(low), float(high)
    except ValueError:
        return "", ""
    slack, apart = (most - least) / 2, max(least - value, value - most)
    if not isfinite(apart):
        return ("none" if isnan(slack) else ratio(slack)), "no slack allows it"
    times = f" ({ratio(apart / slack)} x slack)" if slack > 0 else ""
    return ratio(slack), f"{apart:.3g}{times}"
