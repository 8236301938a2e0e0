"""The coverage ledger of a file: the outcome of every problem, its feature values, and the pairs of these values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from convlaws.records.coverage import ENDS, evident, places
from convlaws.reports.page.coverage import CoverageRow, Ended, Sample, laid, worded
from convlaws.reports.sanitize import plain

Axes = Mapping[str, list[str]]
Pair = tuple[str, str, str, str]


@dataclass
class _Told:
    """The ledger entries of all runs for one method, added up; `admits` is None if a run does not have it."""

    problems: Counter[str] = field(default_factory=Counter)
    values: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    pairs: dict[str, set[Pair]] = field(default_factory=dict)
    admits: set[Pair] | None = field(default_factory=set)

    def add(self, bits: Mapping[Pair, int], said: Mapping[str, Any]) -> None:
        """Add the entry of one run; `bits` are those of its axes."""
        for end, tally in {"judged": said, **said.get("ended", {})}.items():
            self.problems[end] += tally["problems"]
            values = {(name, value): n for name, some in tally["values"].items() for value, n in some.items()}
            self.values.setdefault(end, Counter()).update(values)
            self.pairs.setdefault(end, set()).update(_pairs(bits, tally["pairs"]))
        admits = _pairs(bits, said.get("admits", "0"))
        self.admits = self.admits | admits if admits and self.admits is not None else None

    def row(self, method: str) -> CoverageRow:
        """Return the method's row: the share judged, of the pairs that count as evidence."""
        judged = _evident(self.pairs["judged"])
        admits = None if self.admits is None else _evident(self.admits)
        share = f"{len(judged & admits) / len(admits):.1%}" if admits else ""
        counts = [self.problems[end] if end in self.problems or "drawn" in self.problems else None for end in ("drawn", *ENDS)]
        return CoverageRow(plain(method), counts, share, len(admits) - len(judged & admits) if admits else None)


def _pairs(bits: Mapping[Pair, int], text: str) -> set[Pair]:
    number = int(text, 16)
    return {pair for pair, bit in bits.items() if number >> bit & 1}


def _evident(pairs: set[Pair]) -> set[Pair]:
    """Return only the pairs for which a kept law is evidence."""
    return set(filter(evident, pairs))


def ledger(summaries: Sequence[dict[str, Any]]) -> Sample | None:
    """Return the merged coverage of all runs of a file; None if no run has any or one cannot be read.

    Runs of other releases may have other axes: only the axes common to all are shown.
    """
    try:
        told = [s["coverage"] for s in summaries if s.get("coverage")]
        return _laid(told) if any(c["methods"] for c in told) else None
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        return None


def _laid(told: list[dict[str, Any]]) -> Sample:
    methods: dict[str, _Told] = {}
    for coverage in told:
        bits = places(coverage["axes"])
        for method, said in coverage["methods"].items():
            methods.setdefault(method, _Told()).add(bits, said)
    axes = {name: values for name, values in told[0]["axes"].items() if all(c["axes"].get(name) == values for c in told)}
    every = set(places(axes))
    seen = {pair for m in methods.values() for pair in m.pairs["judged"]} & every
    admits = [m.admits for m in methods.values()]
    whole = every if None in admits else {pair for some in admits for pair in some or ()} & every
    met = dict.fromkeys(combinations(axes, 2), (0, 0))
    for a, _, b, _ in whole:
        met[a, b] = met[a, b][0], met[a, b][1] + 1
    for a, _, b, _ in seen & whole:
        met[a, b] = met[a, b][0] + 1, met[a, b][1]
    return laid(
        sum(m.problems["judged"] for m in methods.values()), axes, _counts(axes, methods.values()), met, _ended(axes, methods)
    )


def _counts(axes: Axes, methods: Iterable[_Told]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in axes}
    for m in methods:
        for (name, value), n in m.values["judged"].items():
            if name in counts:
                counts[name][value] += n
    return counts


def _ended(axes: Axes, methods: Mapping[str, _Told]) -> Ended:
    """Return the outcome counts of the problems by method and by value."""
    table: dict[tuple[str, str], list[int]] = {}
    for place, end in enumerate(("drawn", *ENDS)):
        for m in methods.values():
            for key, n in m.values.get(end, Counter()).items():
                if key[0] in axes:
                    table.setdefault(key, [0] * (len(ENDS) + 1))[place] += n
    rows = [m.row(name) for name, m in methods.items()]
    values = [(worded(name), plain(value), table[name, value]) for name in axes for value in axes[name] if (name, value) in table]
    return Ended(rows, values if any(m.problems["drawn"] for m in methods.values()) else [])
