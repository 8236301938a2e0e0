"""How far the results were from exact, in units of what is allowed: read from the histograms of the findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
from markupsafe import Markup

from convlaws.reports.plain import plain, ratio
from convlaws.reports.svg import box, path, svg, text, trim
from convlaws.results import Finding, Verdict

LOWEST = -20  # bin b > 0 of an error histogram begins at 2^(LOWEST + b - 1); bin 0 holds zeros and all below
BOUND = 1 - LOWEST  # the bin that begins at error = slack
BINS = 24
DEFINITION = "equals-the-definition"


@dataclass(frozen=True)
class Spread:
    """The errors of a method (and dtype, where the file keeps them apart)."""

    method: str
    dtype: str
    elements: int
    exact: str
    middle: str
    worst: str
    picture: Markup


def spreads(findings: Sequence[Finding]) -> list[Spread]:
    """One a method and dtype, in the order of the file; those without a judged element are left out."""
    sums: dict[tuple[str, str], np.ndarray] = {}
    errors: dict[tuple[str, str], float] = {}
    for f in findings:
        key = (f.method, f.dtype if f.verdict is Verdict.KEPT else "")
        if len(f.error_histogram) == BINS:
            sums[key] = sums.get(key, np.zeros(BINS, int)) + np.array(f.error_histogram, int)
        if f.verdict is Verdict.KEPT:
            errors[key] = max(errors.get(key, 0.0), f.worst_ratio)
    return [_spread(key, counts, errors.get(key, 0.0)) for key, counts in sums.items() if counts.sum()]


def _spread(key: tuple[str, str], counts: np.ndarray, worst: float) -> Spread:
    total = int(counts.sum())
    rest = counts[1:]
    middle = "all exact"
    if rest.sum():
        at = int(np.searchsorted(np.cumsum(rest), rest.sum() / 2))
        middle = f"2^{at + LOWEST}"
    says = f"errors of {plain(key[0])}: {counts[0] / total:.0%} exact, the middle of the others near {middle} of the slack"
    return Spread(plain(key[0]), key[1], total, f"{counts[0] / total:.1%}", middle, ratio(worst), histogram(rest, says))


def histogram(counts: np.ndarray, says: str) -> Markup:
    """Bars by binary order of magnitude, the highest full; the line is where the error equals the slack."""
    wide, high, most = 9, 30, max(int(counts.max()), 1)
    bars = {"bar": "", "over": ""}
    for i, count in enumerate(counts.tolist()):
        if count:
            tall = max(1.0, high * count / most)
            # the bin from 1 to 2 holds what equals the slack, so only what lies beyond it is certainly over
            bars["over" if i + 1 > BOUND else "bar"] += box(i * wide + 1, high - tall, wide - 2, tall)
    limit = (BOUND - 1) * wide
    parts = [path("axis", f"M0 {high}h{len(counts) * wide}"), *(path(css, data) for css, data in bars.items())]
    return svg(len(counts) * wide, high + 1, [*parts, path("bound", f"M{limit} 0v{high}")], says)


# --- error against the number of terms -----------------------------------------------
_SHAPES = {"fprop": "M{x} {y}m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0", "dgrad": "M{x} {y}m-3-3h6v6h-6z",
           "wgrad": "M{x} {y}m0-4l4 7h-8z", "bgrad": "M{x} {y}m0-4l4 4l-4 4l-4-4z"}  # fmt: skip
LEFT, WIDE, HIGH = 46, 640, 220
FLOOR = -10  # binary orders below the slack that the picture shows


def against_terms(findings: Sequence[Finding]) -> Markup | None:
    """The worst error/slack of each (method, op) against the most terms that one of its sums had, on log axes."""
    points = [p for f in findings if (p := _point(f))]
    if not points:
        return None
    last = max(4, *(order for _, order, _ in points)) + 1
    shapes: dict[str, str] = {}
    for op, order, error in points:
        x, y = LEFT + (order + 0.5) * (WIDE - LEFT) / last, _height(error)
        shapes[op] = shapes.get(op, "") + _SHAPES[op].format(x=trim(x), y=trim(y))
    parts = [*_scales(last), path("bound", f"M{LEFT} {trim(_height(1.0))}H{WIDE}")]
    parts += [path("dot", data) for data in shapes.values()]
    parts.append(text(WIDE, _height(1.0) - 4, "the bound: error = slack", anchor="end"))
    return svg(WIDE + 2, HIGH + 34, parts, f"{len(points)} points: worst error over slack against the number of terms")


def _point(f: Finding) -> tuple[str, int, float] | None:
    """(op, binary order of the most terms, worst ratio)."""
    if f.law != DEFINITION or f.verdict is not Verdict.KEPT or not f.worst_ratio > 0 or f.op not in _SHAPES:
        return None
    orders = [i for i, count in enumerate(f.terms_histogram[1:]) if count]
    return (f.op, orders[-1], f.worst_ratio) if orders else None


def _height(error: float) -> float:
    order = min(max(log2(error), FLOOR), 1)
    return 6 + (1 - order) / (1 - FLOOR) * (HIGH - 6)


def _scales(last: int) -> list[str]:
    parts = [path("axis", f"M{LEFT} 6V{HIGH}H{WIDE}")]
    for order in range(FLOOR, 2, 2):
        parts.append(text(LEFT - 5, _height(2.0**order) + 4, f"{2.0**order:.2g}", anchor="end"))
    step = max(1, last // 12)
    for order in range(0, last, step):
        parts.append(text(LEFT + (order + 0.5) * (WIDE - LEFT) / last, HIGH + 15, f"{2**order:,}", anchor="middle"))
    return [*parts, text((LEFT + WIDE) / 2, HIGH + 31, "terms in a sum (the most that one had, by powers of two)", anchor="middle")]
