"""Growth exponents of each method's time and memory in one size, fitted to the sweeps.

    python -m benchmarks.growth                     # measures: a few minutes
    python -m benchmarks.growth --asv .asv/results  # reads the results of `asv run --bench bench_calls.Sweeps`
    python -m benchmarks.growth --sweep channels

An exponent is the slope of log(value) over log(size) by least squares, with its 95 % interval (Student's t) if the
points were independent. Only the upper half of a method's sizes counts, at least four if there are as many: below, the
fixed cost of a call hides the growth. A wide interval means that the growth is not a power: caches, or another
algorithm from some size on.

A method that refuses the large sweeps as too large (loops, dense matrices) or padded is measured on the small sweeps, which
have a table of their own. Their memory is exactly what Python and NumPy allocate: the kernel's count is too coarse for it.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from .peak import LEAST as LEAST_BYTES
from .peak import allocated_bytes, peak_bytes
from .saved import saved
from .study_table import put

BEGIN, END = "<!-- growth: begin -->", "<!-- growth: end -->"
LEAST, ENOUGH = 3, 4  # points of a fit: two have no spread, three give a wide interval
PATIENCE = 0.05  # seconds for the calls of one point
DEAREST = 2.0  # seconds of a call above which larger sizes are not tried
SMALL = "small-"  # prefix of the variables of the small sweeps
IN_TORCH = ("torch", "unfold")  # parts of the names of rows whose memory NumPy does not count
Points = Mapping[float, float]  # size -> seconds or bytes


class Exponent(NamedTuple):
    """A slope, and the half-width of its 95 % interval."""

    slope: float
    margin: float

    def __str__(self) -> str:
        return f"{self.slope:.2f} ± {self.margin:.2f}"


def exponent(points: Points) -> Exponent | None:
    """Return the exponent of value ~ size^slope over the upper half of the sizes; None for fewer than three of them.

    >>> str(exponent({n: 5e-6 * n**2 for n in (1, 2, 4, 8, 16, 32)}))
    '2.00 ± 0.00'
    """
    from scipy import stats

    sizes = sorted(points)
    sizes = sizes[min(len(sizes) // 2, max(0, len(sizes) - ENOUGH)) :]
    if len(sizes) < LEAST:
        return None
    if len({points[s] for s in sizes}) == 1:
        return Exponent(0.0, 0.0)  # SciPy gives no spread for constant values
    fit = stats.linregress([math.log(s) for s in sizes], [math.log(points[s]) for s in sizes])
    return Exponent(float(fit.slope), float(stats.t.ppf(0.975, len(sizes) - 2) * fit.stderr))


def sweeps(only: str) -> dict[str, dict[float, object]]:
    """Return {"channels": {size: problem}, ...} for the sweeps whose names contain `only`."""
    from .problems import SWEEPS

    found: dict[str, dict[float, object]] = defaultdict(dict)
    for name, problem in SWEEPS.items():
        size = name.rpartition("=")[2]
        found[_variable(name)][float(size)] = problem
    return {variable: points for variable, points in found.items() if only in variable}


def _variable(name: str) -> str:
    return name.partition(" ")[0].removeprefix("sweep-")


def measured(only: str) -> Iterator[tuple[str, str, Points, Points]]:
    """Yield (variable, method, seconds, bytes) of every method on every sweep, in this process, each answer judged."""
    from convlaws.targets.registry import rows

    for variable, points in sweeps(only).items():
        small = variable.startswith(SMALL)
        for row in _limited() if small else rows():
            seconds, taken = {}, {}
            for size, problem in sorted(points.items()):
                found = _point(_as_done_by(row, problem), row, small)
                if found is None:
                    continue
                seconds[size] = found[0]
                taken |= {size: found[1]} if found[1] else {}
                if found[0] > DEAREST:
                    break
            yield variable, row.name, seconds, taken


def _limited() -> list[Any]:
    """Return the methods that refuse a problem of the large sweeps of batches and extents."""
    from convlaws.targets.registry import rows

    large = [p for variable in ("batch", "extent") for p in sweeps(variable)[variable].values()]
    return [row for row in rows() if any(row.scope.refuses(_as_done_by(row, p)) for p in large)]


def _as_done_by(row: Any, problem: Any) -> Any:
    """Return the problem in a layout that the row supports, transposed if it supports only that; the same for each row."""
    layout = problem.layout if problem.layout in row.scope.layouts else row.scope.layouts[0]
    return replace(problem, layout=layout, spec=replace(problem.spec, transposed=False not in row.scope.transposed))


def _point(problem: Any, row: Any, small: bool) -> tuple[float, float] | None:
    """Return (seconds, bytes) of a call, the least of several, as disturbances only add time; None if it is refused.

    The bytes are 0 where they are too few to be counted.
    """
    from .verified import Verified

    try:
        verified = Verified(problem, row)
        verified.call()
    except NotImplementedError:
        return None
    verified.verify()
    taken = _taken(verified.call, small, row.name)
    least, until = math.inf, time.perf_counter() + PATIENCE
    while least == math.inf or time.perf_counter() < until:
        started = time.perf_counter()
        verified.call()
        least = min(least, time.perf_counter() - started)
    verified.verify()
    return least, taken


def _taken(call: Any, small: bool, name: str) -> float:
    if small:
        return 0 if any(word in name for word in IN_TORCH) else allocated_bytes(call)
    found = peak_bytes(call)
    return found if found > LEAST_BYTES else 0


def of_asv(results: Path, only: str) -> Iterator[tuple[str, str, Points, Points]]:
    """Yield the same as `measured`, read from asv's result files; each value is from the newest file that has it."""
    found: dict[tuple[str, str], tuple[dict, dict]] = defaultdict(lambda: ({}, {}))
    for (benchmark, *params), value in saved(results).items():
        kind = {"bench_calls.Sweeps.time_call": 0, "bench_calls.Sweeps.track_peak_bytes": 1}.get(benchmark)
        if kind is not None and only in _variable(params[0]):
            name, method = params
            if kind == 0 or value > LEAST_BYTES:
                found[_variable(name), method][kind][float(name.rpartition("=")[2])] = value
    yield from ((variable, method, *points) for (variable, method), points in sorted(found.items()))


def table(found: Sequence[tuple[str, str, Points, Points]]) -> str:
    """Return Markdown with a row per method and, per variable, the exponents of time and memory; '' for too few sizes.

    There is one table for the large sweeps and one for the small.
    """
    parts = ([f for f in found if f[0].startswith(SMALL) == small] for small in (False, True))
    return "\n\n".join(_table(part) for part in parts if part)


def _table(found: Sequence[tuple[str, str, Points, Points]]) -> str:
    variables = list(dict.fromkeys(variable for variable, *_ in found))
    cells = {(method, variable): (exponent(s), exponent(b)) for variable, method, s, b in found}
    heads = [f"{variable}: {what}" for variable in variables for what in ("time", "memory")]
    lines = ["| method | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    for method in dict.fromkeys(method for _, method, *_ in found):
        row = [str(e or "") for v in variables for e in cells.get((method, v), (None, None))]
        if any(row):
            lines.append(f"| `{method}` | " + " | ".join(row) + " |")
    return "\n".join(lines)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--asv", type=Path, help="read asv's results instead of measuring")
    parser.add_argument(
        "--sweep", default="", help="only sweeps whose name has this in it: batch, channels, extent, groups, kernel"
    )
    parser.add_argument("--docs", type=Path, help="a file with the two markers between which the table goes")
    given = parser.parse_args()
    text = table(list(of_asv(given.asv, given.sweep) if given.asv else measured(given.sweep)))
    load = " ".join(f"{v:.1f}" for v in os.getloadavg())
    print(text := f"{time.strftime('%Y-%m-%d')}, one thread, load average at the end {load}.\n\n{text}")
    if given.docs:
        put(given.docs, text, (BEGIN, END))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
