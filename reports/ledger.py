"""The coverage ledger of a file: every judged problem by the values, and the pairs of values, of its features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from convlaws.census import places
from convlaws.reports.coverage import Sample, laid
from convlaws.reports.plain import plain


def ledger(summaries: Sequence[dict[str, Any]]) -> Sample | None:
    """What the runs of a file judged, together; None if no run says so, or what one says cannot be read."""
    try:
        told = [s["coverage"] for s in summaries if s.get("coverage")]
        alike = [c for c in told if c["axes"] == told[0]["axes"]]
        return _laid(told[0]["axes"], [(m, c["methods"][m]) for c in alike for m in c["methods"]]) if alike else None
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        return None


def _laid(axes: dict[str, list[str]], methods: list[tuple[str, dict[str, Any]]]) -> Sample | None:
    if not methods:
        return None
    bits = places(axes)
    counts: dict[str, Counter[str]] = {name: Counter() for name in axes}
    by_method: dict[str, tuple[int, int]] = {}
    for method, said in methods:
        for name, values in said["values"].items():
            counts[name].update(values)
        count, pairs = by_method.get(method, (0, 0))
        by_method[method] = count + said["problems"], pairs | int(said["pairs"], 16)
    seen = 0
    for _, pairs in by_method.values():
        seen |= pairs
    met = {pair: [0, 0] for pair in combinations(axes, 2)}
    for (a, _, b, _), bit in bits.items():
        met[a, b][0] += seen >> bit & 1
        met[a, b][1] += 1
    rows = [(plain(m), n, f"{pairs.bit_count() / len(bits):.1%}") for m, (n, pairs) in by_method.items()]
    return laid(sum(n for n, _ in by_method.values()), axes, counts, {k: (v[0], v[1]) for k, v in met.items()}, rows)
