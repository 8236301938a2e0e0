"""The results of a study of `asv continuous`, as Markdown between two markers of a page."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- study: begin -->", "<!-- study: end -->"


@dataclass(frozen=True)
class Comparison:
    """The result of one `asv continuous` of a commit with the one before.

    `ratios` are later over earlier, by benchmark and parameters; `flags` are asv's marks by factor.
    """

    branch: str
    exit_code: int
    ratios: Mapping[str, float]
    flags: Mapping[float, Mapping[str, str]]


def document(found: Sequence[Comparison], given: Any, machine: Mapping[str, str], docs: Path | None) -> str:
    """Return the Markdown; it replaces the text between the markers of `docs`, if given."""
    slowed = _row_of(given.method)
    parts = [_header(given, machine, len(found)), _flagged(found, slowed), _noise(found)]
    text = "\n\n".join(parts)
    if docs:
        put(docs, text)
    return text


def put(docs: Path, text: str, markers: tuple[str, str] = (BEGIN, END)) -> None:
    """Replace the text between the markers.

    Raises:
        SystemExit: the page does not have both markers.
    """
    page, (begin, end) = docs.read_text(encoding="utf-8"), markers
    if begin not in page or end not in page:
        raise SystemExit(f"{docs} has not both {begin} and {end}")
    before, after = page.split(begin)[0], page.split(end)[1]
    docs.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _row_of(maps: str) -> str:
    """Return the name of the method whose class of maps is named `maps`."""
    from convlaws.targets.registry import rows

    return next(row.name for row in rows("method") if row.address.endswith(f":{maps}"))


def _header(given: Any, machine: Mapping[str, str], count: int) -> str:
    load = " ".join(f"{v:.1f}" for v in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d')}, {machine.get('cpu')}, {machine.get('num_cpu')} cores, {machine.get('os')}; "
        f"load average at the end {load}. {count} comparisons by `asv continuous --factor {given.factor} --bench {given.bench}"
        f"{''.join(f' -a {a}' for a in given.attribute)}`; `slow` takes {given.times} times as long in `{_row_of(given.method)}`."
    )


def _flagged(found: Sequence[Comparison], slowed: str) -> str:
    """Return a table of the flagged benchmarks by factor: those of the slowed method and all others."""
    factors = tuple(found[0].flags)
    head = "| commit, benchmarks | comparisons | `asv continuous` said worse | pairs | " + " | ".join(
        f"flagged at {f}" for f in factors
    )
    lines = [head + " |", "|---" * (4 + len(factors)) + "|"]
    for branch in dict.fromkeys(c.branch for c in found):
        mine = [c for c in found if c.branch == branch]
        says = f"{sum(c.exit_code == 1 for c in mine)} of {len(mine)}"
        for who, chosen in _groups(branch, slowed):
            pairs = sum(chosen(n) for c in mine for n in c.ratios)
            counts = [sum(chosen(n) and m in "+!" for c in mine for n, m in c.flags[f].items()) for f in factors]
            lines.append(f"| {branch}, {who} | {len(mine)} | {says} | {pairs} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def _groups(branch: str, slowed: str):
    """Return pairs (name of a group, predicate for the benchmarks in it)."""

    def is_slowed(name: str) -> bool:
        return "time_" in name and name.endswith(f", {slowed})")

    if branch == "same":
        return [("all", lambda name: True)]
    return [(f"time of `{slowed}`", is_slowed), ("all others", lambda name: not is_slowed(name))]


def _noise(found: Iterable[Comparison]) -> str:
    """Return a table of how far the ratios of the unchanged commit are from 1, by measured quantity."""
    kinds = {"seconds": "time_", "peak bytes": "peak", "worst error": "error"}
    rows = [
        "| unchanged commit: the larger over the smaller | pairs | half within | 90 % | 99 % | largest |",
        "|---|---|---|---|---|---|",
    ]
    for what, word in kinds.items():
        apart = sorted(max(r, 1 / r) for c in found if c.branch == "same" for name, r in c.ratios.items() if word in name)
        if apart:
            cells = [f"{_quantile(apart, q):.3f}" for q in (0.5, 0.9, 0.99, 1.0)]
            rows.append(f"| {what} | {len(apart)} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
