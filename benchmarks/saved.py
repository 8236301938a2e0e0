"""Read the values in asv's result files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

Key = tuple[str, ...]  # a benchmark and its parameters


def saved(results: Path, commit: str = "") -> dict[Key, float]:
    """Return the values in a folder of results, each of the newest file that has it; only those of `commit`, if given.

    Skipped (nan) and failed (null) benchmarks are left out, and so is zero, as values are divided.
    """
    records = [json.loads(file.read_text()) for file in results.rglob(f"{commit[:8]}*.json") if file.name not in _OTHERS]
    found: dict[Key, float] = {}
    for record in sorted((r for r in records if "results" in r), key=lambda r: r.get("date", 0)):
        found |= dict(_values(record))
    return found


_OTHERS = ("machine.json", "benchmarks.json")


def _values(record: dict) -> Iterator[tuple[Key, float]]:
    for name, row in record["results"].items():
        entry = dict(zip(record["result_columns"], row, strict=False))  # asv leaves out columns at the end
        for chosen, value in zip(product(*entry.get("params") or []), entry["result"] or [], strict=False):
            if isinstance(value, float | int) and value > 0:
                yield (name, *(c.strip("'") for c in chosen)), value
