"""The page's speed section: timings measured by asv, read from its result files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from markupsafe import Markup

from convlaws.errors import UsageError
from convlaws.reports.page.svg import path, svg, trim
from convlaws.reports.sanitize import plain

SLOWER = 1.05  # asv's own default: a step of 5 % counts as a regression
LEAST = 3  # measured commits required before a step is reported
MOST = 120  # series shown
_METHOD = ("method", "engine", "name")  # the names that benchmarks use for the method parameter


@dataclass(frozen=True)
class SpeedPoint:
    """One measurement; `low` and `high` are its 99 % interval where asv reports one."""

    date: float
    commit: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Series:
    """One benchmark with one set of parameters on one machine, over time."""

    benchmark: str
    params: str
    machine: str
    points: list[SpeedPoint]
    latest: str
    change: str
    regressed: bool
    unsure: bool  # slower, but within the uncertainty of the measurement
    picture: Markup  # empty for a single point

    @property
    def name(self) -> str:
        """Benchmark and parameters."""
        return f"{self.benchmark}({self.params})" if self.params else self.benchmark


@dataclass(frozen=True)
class Speed:
    """The time series, the worst first, and times by method relative to the fastest."""

    series: list[Series]
    relative: list[tuple[str, list[tuple[str, str]]]]  # (benchmark and shape, [(method, times the fastest)])
    left_out: int
    files: int


def read_speed(where: Path) -> Speed:
    """Read the results from a folder as asv writes it (`.asv/results`), or from one result file.

    Raises:
        UsageError: there are no asv results there.
    """
    files = (
        [where]
        if where.is_file()
        else [p for p in sorted(where.rglob("*.json")) if p.name not in ("machine.json", "benchmarks.json")]
    )
    names = _names(where)
    points: dict[tuple[str, tuple[str, ...], str], list[SpeedPoint]] = {}
    count = 0
    for file in files:
        record = _json(file)
        if isinstance(record, dict) and isinstance(record.get("results"), dict):
            count += 1
            for key, point in _points(record, names):
                points.setdefault(key, []).append(point)
    if not points:
        raise UsageError(f"{where} has no results of asv; 'asv run' writes them to .asv/results")
    series = sorted((_series(key, history, names) for key, history in points.items()), key=lambda s: (not s.regressed, s.name))
    return Speed(series[:MOST], _relative(points, names), max(0, len(series) - MOST), count)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as a result of asv: {error}") from None


def _names(where: Path) -> dict[str, dict]:
    """Return what benchmarks.json has of each benchmark: param_names, unit."""
    file = where / "benchmarks.json"
    benchmarks = _json(file) if where.is_dir() and file.is_file() else {}
    return {k: v for k, v in benchmarks.items() if isinstance(v, dict)} if isinstance(benchmarks, dict) else {}


def _points(record: dict, names: dict[str, dict]) -> Iterator[tuple[tuple[str, tuple[str, ...], str], SpeedPoint]]:
    columns = record.get("result_columns") or []
    commit, date = plain(record.get("commit_hash", ""), 40)[:8], record.get("date", 0)
    machine = plain((record.get("params") or {}).get("machine", ""))
    for name, row in record["results"].items():
        entry = dict(zip(columns, row, strict=False)) if isinstance(row, list) else {}
        if entry.get("version") != names.get(name, entry).get("version"):
            continue  # measured with a different version of the benchmark's code
        values, params = entry.get("result") or [], entry.get("params") or []
        lows, highs = entry.get("stats_ci_99_a") or [], entry.get("stats_ci_99_b") or []
        for i, (chosen, value) in enumerate(zip(product(*params), values, strict=False)):
            if isinstance(value, int | float) and isfinite(value) and value > 0:
                low, high = (bounds[i] if i < len(bounds) and bounds[i] is not None else value for bounds in (lows, highs))
                key = (str(name), tuple(plain(str(c).strip("'"), 60) for c in chosen), machine)
                yield key, SpeedPoint(date, commit, float(value), float(low), float(high))


def _series(key: tuple[str, tuple[str, ...], str], points: list[SpeedPoint], names: dict[str, dict]) -> Series:
    name, params, machine = key
    points = sorted(points, key=lambda p: p.date)
    *before, last = points
    usual = median(p.value for p in before) if before else last.value
    slower = len(before) >= LEAST and last.value > SLOWER * usual
    regressed = slower and last.low > max(p.high for p in before[-LEAST:])
    change = f"{100 * (last.value / usual - 1):+.0f} %" if before else "first"
    title = f"{plain(name)} {', '.join(params)}".strip()
    return Series(
        plain(name),
        ", ".join(params),
        machine,
        points,
        _amount(last.value, names.get(name, {})),
        change,
        regressed,
        slower and not regressed,
        _line(points, title, regressed) if before else Markup(),
    )


def _amount(value: float, about: dict) -> str:
    unit = about.get("unit", "seconds")
    if unit != "seconds":
        return f"{value:.3g} {plain(unit, 20)}"
    scale, word = next((row for row in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")) if value >= row[0]), (1e-9, "ns"))
    return f"{value / scale:.3g} {word}"


def _line(points: Sequence[SpeedPoint], title: str, regressed: bool) -> Markup:
    """Return a line chart from zero to the largest value, with a dot per commit."""
    wide, high, most = 160, 36, max(p.value for p in points)
    step = wide / max(1, len(points) - 1)
    at = [(3 + i * step * 0.96, 3 + (high - 6) * (1 - p.value / most)) for i, p in enumerate(points)]
    line = "M" + "L".join(f"{trim(x)} {trim(y)}" for x, y in at)
    dots = "".join(f"M{trim(x - 1.5)} {trim(y)}a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0-3 0" for x, y in at)
    says = f"{title} over {len(points)} commits{', slower at the last one' if regressed else ''}"
    parts = [path("axis", f"M0 {high}H{wide}"), path("line", line), path("over" if regressed else "dot", dots)]
    return svg(wide, high + 1, parts, says)


def _relative(points: dict, names: dict[str, dict]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return each method's latest time divided by the fastest one's, by benchmark and its other parameters."""
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for (name, params, machine), history in points.items():
        about = names.get(name, {})
        at = _method_at(about, len(params))
        if at is not None and about.get("unit", "seconds") == "seconds":
            others = ", ".join(p for i, p in enumerate(params) if i != at)
            last = sorted(history, key=lambda p: p.date)[-1].value
            rows.setdefault((f"{plain(name)} {others}".strip(), machine), {})[params[at]] = last
    several = [(f"{what} on {machine}" if machine else what, times) for (what, machine), times in rows.items() if len(times) > 1]
    ordered = [(what, sorted(times.items(), key=lambda item: item[1])) for what, times in several]
    return [(what, [(m, f"{t / times[0][1]:.2f}") for m, t in times]) for what, times in ordered]


def _method_at(about: dict, count: int) -> int | None:
    given = about.get("param_names") or []
    return next((i for i, name in enumerate(given[:count]) if name in _METHOD), None)
