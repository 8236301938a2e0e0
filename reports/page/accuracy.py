"""The page's accuracy section: error over slack, read from the histograms of the findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from convlaws.records.finding import Finding, Verdict
from convlaws.reports.page.svg import box, path, svg, text, trim
from convlaws.reports.sanitize import plain, ratio

LOWEST = -20  # bin b > 0 of an error histogram begins at 2^(LOWEST + b - 1); bin 0 holds zeros and all smaller errors
BOUND = 1 - LOWEST  # the bin that begins at error = slack
BINS = 24


@dataclass(frozen=True)
class Spread:
    """The error distribution of a method (and dtype, where the file keeps them apart)."""

    method: str
    dtype: str
    elements: int
    exact: str
    middle: str
    worst: str
    picture: Markup


def spreads(findings: Sequence[Finding]) -> list[Spread]:
    """Return one `Spread` per method and dtype, in the order of the file, without those that have no judged element."""
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
        middle = power(at + LOWEST)
    says = f"errors of {plain(key[0])}: {counts[0] / total:.0%} exact, the middle of the others near {middle} of the slack"
    return Spread(plain(key[0]), key[1], total, f"{counts[0] / total:.1%}", middle, ratio(worst), histogram(rest, says))


def histogram(counts: np.ndarray, says: str) -> Markup:
    """Draw bars by binary order of magnitude, scaled to the highest; the line marks error = slack."""
    wide, high, most = 9, 30, max(int(counts.max()), 1)
    bars = {"bar": "", "over": ""}
    for i, count in enumerate(counts.tolist()):
        if count:
            tall = max(1.0, high * count / most)
            # the bin from 1 to 2 includes error = slack: only the bins above it are certainly over
            bars["over" if i + 1 > BOUND else "bar"] += box(i * wide + 1, high - tall, wide - 2, tall)
    limit = BOUND * wide
    parts = [path("axis", f"M0 {high}h{len(counts) * wide}"), *(path(css, data) for css, data in bars.items())]
    return svg(len(counts) * wide, high + 1, [*parts, path("bound", f"M{limit} 0v{high}")], says)


def power(order: int) -> str:
    """Return a power of two in superscript notation.

    >>> power(-12)
    '2⁻¹²'
    """
    return "2" + str(order).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


# --- error against the number of terms -----------------------------------------------
_SHAPES = {"fprop": "M{x} {y}m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0", "dgrad": "M{x} {y}m-3-3h6v6h-6z",
           "wgrad": "M{x} {y}m0-4l4 7h-8z", "bgrad": "M{x} {y}m0-4l4 4l-4 4l-4-4z"}  # fmt: skip
LEFT, WIDE, HIGH = 46, 700, 240
FLOOR, CEILING = -18, 1  # binary orders of error over slack that the picture covers
MOST_POINTS = 1000


@dataclass(frozen=True)
class Point:
    """A (method, law, op) in powers of two: the median of its terms, and the median and 99 % quantile of its inexact errors."""

    op: str
    terms: float
    middle: float
    high: float


def against_terms(findings: Sequence[Finding]) -> Markup | None:
    """Plot error over slack against the number of terms, on log axes, with the bound; None if the file has no such pair."""
    points = [p for f in findings if (p := _point(f))][:MOST_POINTS]
    if not points:
        return None
    last = max(6, *(p.terms for p in points)) + 0.5
    shapes: dict[str, str] = {}
    tails = ""
    for p in points:
        x, y, top = (trim(v) for v in (_across(p.terms, last), _height(p.middle), _height(p.high)))
        shapes[p.op] = shapes.get(p.op, "") + _SHAPES[p.op].format(x=x, y=y)
        tails += f"M{x} {y}V{top}"
    parts = [*_scales(int(last)), path("tail", tails), *(path("dot", data) for data in shapes.values())]
    parts += [path("bound", f"M{LEFT} {trim(_height(0))}H{WIDE}"), text(LEFT + 6, _height(0) - 4, "error = slack")]
    return svg(WIDE + 2, HIGH + 34, parts, f"{len(points)} points: error over slack against the number of terms")


def _point(f: Finding) -> Point | None:
    """Return the point of a finding; None unless its sums have a known number of terms and an inexact result."""
    errors, terms = f.error_histogram[1:], f.terms_histogram[1:]
    if f.verdict is not Verdict.KEPT or f.op not in _SHAPES or not sum(errors) or not sum(terms):
        return None
    middle, high = (
        min(_quantile(errors, part) + LOWEST, 0.0) for part in (0.5, 0.99)
    )  # the last bin of a kept law holds error = slack
    return Point(f.op, _quantile(terms, 0.5), middle, high)


def _quantile(counts: list[int], part: float) -> float:
    """Return the quantile `part` of the counts, in bins, as if each bin were filled evenly."""
    goal, below = part * sum(counts), 0
    for i, count in enumerate(counts):
        if count and below + count >= goal:
            return i + (goal - below) / count
        below += count
    return float(len(counts))


def _across(order: float, last: float) -> float:
    return LEFT + 8 + order * (WIDE - LEFT - 16) / last


def _height(order: float) -> float:
    return 6 + (CEILING - min(max(order, FLOOR), CEILING)) / (CEILING - FLOOR) * (HIGH - 6)


def _scales(last: int) -> list[str]:
    parts = [path("axis", f"M{LEFT} 6V{HIGH}H{WIDE}")]
    parts += [text(LEFT - 5, _height(order) + 4, power(order) if order else "1", anchor="end") for order in range(FLOOR, 1, 3)]
    step = max(1, last // 12)
    parts += [text(_across(order, last + 0.5), HIGH + 15, f"{2**order:,}", anchor="middle") for order in range(0, last + 1, step)]
    return [*parts, text((LEFT + WIDE) / 2, HIGH + 31, "terms in a sum", anchor="middle")]
