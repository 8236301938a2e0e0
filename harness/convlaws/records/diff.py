"""Comparison of two runs for each (method, law, op): what broke, what was fixed, and what is inconclusive.

A failure is a fact about one problem, `kept` is worth as much as the problems it is about. Where both runs judged
the same problems (the same targets, --seed, --examples and --workers, or the same --problems), every change is
the method's. Where they did not, a change may be due to chance: between two seeds of the same torch, at
20 examples, 15 of 850 (method, law, op) changed between kept and broken. There a change counts only if its
probability by chance is below LUCK.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

from convlaws.records.finding import LEAST, CellId, Finding, Verdict, counted, name_parts

FACTOR = 2.0  # minimum factor between two worst ratios, if both sides judged the same problems
LUCK = 1e-6  # a table has some 4,000 (method, law, op), so a chance change appears in one of 250 comparisons


class Change(enum.StrEnum):
    """The change of a (method, law, op); the value is the text in --json."""

    BROKE = "broke"  # kept, now fails; or failed only in known ways, now in a new one
    FIXED = "fixed"  # failed, now kept
    SUSPECT = "perhaps broke"  # the same on other problems: possibly by chance
    MAYBE_FIXED = "perhaps fixed"
    OTHERWISE = "fails otherwise"  # failed, now fails on the same problems with another signature
    STILL = "still fails"
    MOVED = "ratio moved"  # kept on the same problems, with another worst error over slack
    SAME = "kept"
    INCONCLUSIVE = "cannot say"  # vacuous, refused, too few examples or flaky on one side
    NOTHING_TO_SAY = "says nothing"  # nothing conclusive on both sides
    GONE = "no longer tried"
    ADDED = "newly tried"


@dataclass(frozen=True)
class Side:
    """One run's findings for one (method, law, op)."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """Its first finding: all have the same tallies."""
        return self.findings[0]

    @property
    def bad(self) -> list[Finding]:
        """Its failures."""
        return [f for f in self.findings if f.verdict.bad]

    @property
    def steady(self) -> bool:
        """True if one of its failures repeats every time."""
        return any(not f.flaky for f in self.bad)

    @property
    def kinds(self) -> set[tuple[str, bool]]:
        """The kinds of failure: (signature, True if a known finding explains it)."""
        return {(f.signature, bool(f.known)) for f in self.bad}

    def __str__(self) -> str:
        """The result as text."""
        first = self.first
        examples = counted(first.examples, "example")
        if self.bad:
            verdicts = ", ".join(dict.fromkeys(f"{f.verdict}{' (known)' * bool(f.known)}" for f in self.bad))
            often = f" in {first.failed} of {examples}" if first.failed else ""
            return verdicts + often + ("" if self.steady else f", flaky {self.bad[0].flaky}")
        if first.verdict is Verdict.KEPT:
            return f"kept on {examples}"
        return f"{first.verdict}: {first.message.splitlines()[0]}" if first.message else str(first.verdict)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The difference of one (method, law, op) between two runs. A side is None where it was not tried."""

    cell: CellId
    change: Change
    old: Side | None
    new: Side | None
    note: str = ""

    @property
    def shown(self) -> Finding | None:
        """The failure to show: the new one, or for a fix the old one; preferably one that no known finding explains."""
        side = self.old if self.change in (Change.FIXED, Change.MAYBE_FIXED) else self.new
        return min(side.bad, key=lambda f: bool(f.known), default=None) if side else None


def pairs(old: Sequence[str], new: Sequence[str]) -> dict[str, str]:
    """Map each old method to its new name: the same, or else the only one with the same name before '@'.

    >>> pairs(["im2col", "onnxruntime@1.26.0"], ["onnxruntime@1.31.1", "im2col"])
    {'im2col': 'im2col', 'onnxruntime@1.26.0': 'onnxruntime@1.31.1'}
    """
    new_names = {name: name for name in old if name in new}
    left, right = ([n for n in names if n not in new_names] for names in (old, new))
    for name in left:
        alike = [n for n in right if base(n) == base(name)]
        if len(alike) == 1 and sum(base(n) == base(name) for n in left) == 1:
            new_names[name] = alike[0]
    return new_names


def base(name: str) -> str:
    """A method's name without its version and level."""
    return name_parts(name)[0]


def differences(old: Sequence[Finding], new: Sequence[Finding]) -> list[Difference]:
    """One Difference for each (method, law, op) of either run, in the order of the new one."""
    named = pairs(*(list(dict.fromkeys(f.method for f in side)) for side in (old, new)))
    before, after = _cells(old, named), _cells(new, {})
    return [_difference(cell, before.get(cell), after.get(cell)) for cell in dict.fromkeys([*after, *before])]


def _cells(findings: Iterable[Finding], named: Mapping[str, str]) -> dict[CellId, Side]:
    cells: dict[CellId, list[Finding]] = {}
    for f in findings:
        cells.setdefault(f.cell._replace(method=named.get(f.method, f.method)), []).append(f)
    return {cell: Side(tuple(group)) for cell, group in cells.items()}


def _difference(cell: CellId, old: Side | None, new: Side | None) -> Difference:
    change, note = _change(old, new)
    return Difference(cell=cell, change=change, old=old, new=new, note=note)


def _change(old: Side | None, new: Side | None) -> tuple[Change, str]:
    if old is None or new is None:
        return (Change.ADDED if old is None else Change.GONE), ""
    same = same_problems(old.first, new.first)
    if old.bad and new.bad:
        return _both_fail(old, new, same), ""
    kept = [s.first.verdict is Verdict.KEPT and (same or s.first.examples >= LEAST) for s in (old, new)]
    if all(kept):
        note = moved(old.first, new.first) if same else ""
        return (Change.MOVED if note else Change.SAME), note
    if kept[0] and new.bad:
        return (Change.BROKE if same or luck(new.first, old.first) < LUCK else Change.SUSPECT), ""
    if kept[1] and old.bad and old.steady:
        return (Change.FIXED if same or luck(old.first, new.first) < LUCK else Change.MAYBE_FIXED), ""
    silent = not (any(kept) or old.bad or new.bad) and old.first.verdict is new.first.verdict
    return (Change.NOTHING_TO_SAY if silent else Change.INCONCLUSIVE), ""


def _both_fail(old: Side, new: Side, same: bool) -> Change:
    fresh = new.kinds - old.kinds
    if any(not known for _, known in fresh) and all(known for _, known in old.kinds):
        return Change.BROKE if same else Change.SUSPECT  # the known failures hid no other failure before
    seen = {signature for signature, _ in old.kinds}
    return Change.OTHERWISE if same and any(signature not in seen for signature, _ in fresh) else Change.STILL


def same_problems(old: Finding, new: Finding) -> bool:
    """True if both judged exactly the same problems."""
    marks = [(f.asked, f.drawn, f.examples, sum(f.refused.values())) for f in (old, new)]
    return marks[0] == marks[1] and bool(old.asked)


def luck(failing: Finding, kept: Finding) -> float:
    """The probability that all failures fall on one side, if both sides fail equally often.

    k failures among m examples here and none among n there: C(m, k) / C(m + n, k), the tail of the
    hypergeometric distribution (Fisher's exact test, one side). Examples are assumed independent.

    >>> one, none = (Finding(method="m", law="w", op="fprop", verdict=Verdict.KEPT, examples=20, failed=k) for k in (15, 0))
    >>> luck(one, none) < LUCK
    True
    """
    m, n, k = failing.examples, kept.examples, min(max(failing.failed, 1), failing.examples)
    return comb(m, k) / comb(m + n, k)


def moved(old: Finding, new: Finding) -> str:
    """The change of the worst ratio between runs of the same problems, as text; '' if by less than FACTOR.

    A worst ratio is a maximum over examples, so on other problems it varies by itself: between three seeds of the
    same methods at 20 examples by 1.5 in the median, by 325 in one of a hundred, and in a tenth from or to 0.
    """
    low, high = sorted((old.worst_ratio, new.worst_ratio))
    if not high or high < FACTOR * low:
        return ""
    by = f"x{high / low:.3g}" if low else "from 0" if not old.worst_ratio else "to 0"
    sign = "worse" if new.worst_ratio > old.worst_ratio else "better"
    return f"{old.worst_ratio:.3g} -> {new.worst_ratio:.3g} ({by}, {sign}, on the same {counted(new.examples, 'example')})"


def tally(found: Iterable[Difference]) -> dict[str, Counter[Change]]:
    """The number of (law, op) for each method and kind of change."""
    by: dict[str, Counter[Change]] = {}
    for d in found:
        by.setdefault(d.cell[0], Counter())[d.change] += 1
    return by


def apart(found: Iterable[Difference]) -> int:
    """The number kept by both on different problems, so that their worst ratios are not comparable."""
    kept = (d for d in found if d.change is Change.SAME and d.old and d.new)
    return sum(not same_problems(d.old.first, d.new.first) for d in kept if d.old and d.new)
