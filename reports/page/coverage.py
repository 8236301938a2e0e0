"""The page's coverage section: counts and reasons from the findings, and a sample of the problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from convlaws.problem.features import features, said
from convlaws.problem.scope import WHOLE
from convlaws.records.finding import Finding, Verdict
from convlaws.reports.page.geometry import parsed
from convlaws.reports.sanitize import plain

MOST_REASONS = 6
_WORDS = {
    "ops": "op",
    "ndim": "spatial axes",
    "dtypes": "dtype",
    "layouts": "layout",
    "fills": "fill",
    "one_tap": "kernel of one tap",
    "stride_over_kernel": "stride beyond kernel",
    "padding_over_kernel": "padding beyond kernel",
    "kernel_over_input": "kernel beyond input",
}


@dataclass(frozen=True)
class Tried:
    """What was drawn for a method, in examples and in (law, op), and why the rest was not judged."""

    method: str
    drawn: int
    judged: int
    vacuous: int
    refused: int
    unjudged: int  # (law, op) without one judged example
    cells: int
    reasons: list[tuple[str, int, str]]  # (refused or vacuous, how often, why)


def tried(findings: Sequence[Finding]) -> list[Tried]:
    """Return one `Tried` per method."""
    mine: dict[str, dict[tuple[str, str], Finding]] = {}
    for f in findings:
        mine.setdefault(f.method, {}).setdefault((f.law, f.op), f)  # several failures of one cell share its counts
    return [_tried(method, list(cells.values())) for method, cells in mine.items()]


def _tried(method: str, cells: list[Finding]) -> Tried:
    why: dict[str, Counter[str]] = {"refused": Counter(), "vacuous": Counter()}
    for f in cells:
        why["refused"].update(f.refused)
        why["vacuous"].update(f.vacuous)
        if f.verdict is Verdict.REFUSED and not f.refused:
            why["refused"][f.message] += 0  # the whole (law, op) is out of scope: nothing was drawn
    reasons = [(kind, n, plain(text, 160)) for kind, count in why.items() for text, n in count.most_common(MOST_REASONS)]
    drawn, judged = sum(f.drawn for f in cells), sum(f.examples for f in cells)
    sums = {kind: sum(count.values()) for kind, count in why.items()}
    return Tried(
        plain(method), drawn, judged, sums["vacuous"], sums["refused"], sum(not f.examples for f in cells), len(cells), reasons
    )


# --- the sample of problems ------------------------------------------------------------
@dataclass(frozen=True)
class CoverageShare:
    """A value of a feature and how many problems of the sample have it, 0 if none has."""

    value: str
    count: int
    part: float


@dataclass(frozen=True)
class CoverageRow:
    """A method in a ledger: problems drawn, judged, refused, vacuous, crashed (None: not recorded); pairs of those admitted."""

    method: str
    counts: list[int | None]
    share: str
    missing: int | None


@dataclass(frozen=True)
class Ended:
    """Outcome counts of a ledger by method and by value: (axis, value, the same counts)."""

    methods: list[CoverageRow]
    values_: list[tuple[str, str, list[int]]]


@dataclass(frozen=True)
class Sample:
    """The sampled problems: all judged ones (`ledger`), or those that the findings name (see `sample`)."""

    size: int
    axes: list[tuple[str, list[CoverageShare]]]
    pairs: list[tuple[str, list[str]]]  # a triangle: feature, and the share of value pairs seen with each earlier feature
    names: list[str]
    pairwise: float
    ended: Ended | None = None  # only for a ledger


def sample(findings: Sequence[Finding]) -> Sample | None:
    """Sample the failing problems and the last judged one of each (method, law, op): all that a file without a ledger has."""
    lines = {f.problem for f in findings if f.problem}
    seen = [{k: said(v) for k, v in features(p).items()} for line in sorted(lines) if (p := parsed(line))]
    if not seen:
        return None
    whole = {name: [said(v) for v in getattr(WHOLE, name)] for name in seen[0]}
    counts = {name: Counter(s[name] for s in seen) for name in whole}
    return laid(len(seen), whole, counts, {pair: _met(whole, seen, *pair) for pair in combinations(whole, 2)})


def laid(
    size: int,
    whole: Mapping[str, list[str]],
    counts: Mapping[str, Counter[str]],
    met: Mapping[tuple[str, str], tuple[int, int]],
    ended: Ended | None = None,
) -> Sample:
    """Return the tables of the page from `counts` per value of each axis and `met` (pairs seen, all pairs) per two axes."""
    axes = [(worded(name), _shares(values, counts[name])) for name, values in whole.items()]
    names = list(whole)
    triangle = [(worded(b), [_per_cent(met[a, b]) for a in names[:i]]) for i, b in enumerate(names) if i]
    every = sum(total for _, total in met.values()) or 1
    heads = [worded(n) for n in names[:-1]]
    return Sample(size, axes, triangle, heads, sum(n for n, _ in met.values()) / every, ended)


def worded(name: str) -> str:
    """Return the name of an axis in words."""
    return _WORDS.get(name, plain(name.replace("_", " ")))


def _shares(values: list[str], count: Counter[str]) -> list[CoverageShare]:
    total = sum(count.values()) or 1
    return [CoverageShare(plain(v), count[v], count[v] / total) for v in values]


def _met(whole: dict[str, list[str]], seen: list[dict[str, str]], a: str, b: str) -> tuple[int, int]:
    """Return (value pairs of two features that some problem of the sample has, all pairs)."""
    there = {(s[a], s[b]) for s in seen}
    every = list(product(whole[a], whole[b]))
    return sum(pair in there for pair in every), len(every)


def _per_cent(met: tuple[int, int]) -> str:
    return f"{100 * met[0] // met[1]}" if met[1] else "–"  # rounded down, so that 100 means all of them
