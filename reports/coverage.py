"""What was tried and what was not: counts and reasons from the findings, and a sample of the problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

from convlaws.reports.geometry import parsed
from convlaws.reports.plain import plain
from convlaws.results import Finding, Verdict
from convlaws.scope import Scope, features

MOST_REASONS = 6
_WORDS = {
    "ops": "op",
    "ndim": "spatial axes",
    "dtypes": "dtype",
    "layouts": "layout",
    "fills": "fill",
    "padding_mode": "padding mode",
    "output_padding": "output padding",
}


@dataclass(frozen=True)
class Tried:
    """What a method was put to, in examples and in (law, op); the reasons of what it was not."""

    method: str
    drawn: int
    judged: int
    vacuous: int
    refused: int
    unjudged: int  # (law, op) without one judged example
    cells: int
    reasons: list[tuple[str, int, str]]  # (refused or vacuous, how often, why)


def tried(findings: Sequence[Finding]) -> list[Tried]:
    """One a method."""
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
class Share:
    """A value of a feature: how many problems of the sample have it. A value that none has is 0."""

    value: str
    count: int
    part: float


@dataclass(frozen=True)
class Sample:
    """The problems that the findings name: the last one judged of each (method, law, op), or the shrunk failing one."""

    size: int
    axes: list[tuple[str, list[Share]]]
    pairs: list[tuple[str, list[str]]]  # a triangle: feature, and the share of value pairs seen with each earlier feature
    names: list[str]
    pairwise: float


def sample(findings: Sequence[Finding]) -> Sample | None:
    """The distribution of what was drawn, as far as the file shows it."""
    lines = {f.problem for f in findings if f.problem}
    seen = [{k: _say(v) for k, v in features(p).items()} for line in sorted(lines) if (p := parsed(line))]
    if not seen:
        return None
    whole = {name: [_say(v) for v in getattr(Scope(), name)] for name in seen[0]}
    axes = [(_WORDS.get(name, name), _shares(values, Counter(s[name] for s in seen))) for name, values in whole.items()]
    met = {pair: _met(whole, seen, *pair) for pair in combinations(whole, 2)}
    names = list(whole)
    triangle = [(_WORDS.get(b, b), [_per_cent(met[a, b]) for a in names[:i]]) for i, b in enumerate(names) if i]
    every = sum(total for _, total in met.values())
    return Sample(len(seen), axes, triangle, [_WORDS.get(n, n) for n in names[:-1]], sum(n for n, _ in met.values()) / every)


def _shares(values: list[str], count: Counter[str]) -> list[Share]:
    total = sum(count.values())
    return [Share(v, count[v], count[v] / total) for v in values]


def _met(whole: dict[str, list[str]], seen: list[dict[str, str]], a: str, b: str) -> tuple[int, int]:
    """(pairs of values of two features that a problem of the sample has, all pairs)."""
    there = {(s[a], s[b]) for s in seen}
    every = list(product(whole[a], whole[b]))
    return sum(pair in there for pair in every), len(every)


def _per_cent(met: tuple[int, int]) -> str:
    return f"{100 * met[0] // met[1]}"  # rounded down, so that 100 is all of them


def _say(value: object) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
