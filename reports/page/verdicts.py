"""The page's first sentence, and the changes since an earlier file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from convlaws.records.finding import CellId, Finding, by_cell
from convlaws.reports.sanitize import plain
from convlaws.reports.states import FAILED, LOOKS, Look, is_mutant, state, worst

MOST_NAMES = 4
MOST_CHANGES = 60


@dataclass(frozen=True)
class Sentence:
    """The result in a sentence, a state that colours it, and the number of (method, law, op) in each state."""

    look: Look
    says: str
    counts: list[tuple[Look, int]]


def sentence(findings: Sequence[Finding]) -> Sentence:
    """Summarize the methods that are meant to be right, then the number of mutants found."""
    right = [f for f in findings if not is_mutant(f.method)]
    mutants = list(dict.fromkeys(f.method for f in findings if is_mutant(f.method)))
    found = {f.method for f in findings if is_mutant(f.method) and f.verdict.bad}
    judge = f"{len(found)} of {len(mutants)} mutants were found" if mutants else ""
    if not right:
        kind = "kept" if mutants and len(found) == len(mutants) else "vacuous"
        return Sentence(LOOKS[kind], f"{judge or 'There is no finding'}.", _counts(findings))
    look, says = _of_right(right)
    return Sentence(look, f"{says}{'; ' + judge if judge else ''}.", _counts(right))


def _of_right(findings: Sequence[Finding]) -> tuple[Look, str]:
    count = Counter(map(state, findings))
    bad = [f for f in findings if state(f) in FAILED]
    methods = list(dict.fromkeys(f.method for f in findings))
    if bad:
        return worst(bad), _failures(bad, methods)
    if not count["kept"] and not count["known"]:
        return LOOKS["vacuous"], "Nothing was verified"
    known = f", and {_plural(count['known'], 'known one')}" if count["known"] else ""
    held = f"{_plural(len(methods), 'method')} held to {_plural(len({f.law for f in findings}), 'law')}"
    return LOOKS["kept"], f"{held}: no new failure{known}"


def _failures(bad: Sequence[Finding], methods: Sequence[str]) -> str:
    failing = list(dict.fromkeys(plain(f.method) for f in bad))
    laws = len({f.law for f in bad})
    if len(methods) == 1:
        return f"{failing[0]} breaks {_plural(laws, 'law')}"
    names = ", ".join(failing[:MOST_NAMES]) + (f" and {len(failing) - MOST_NAMES} more" if len(failing) > MOST_NAMES else "")
    return f"{_plural(len(bad), 'new failure')} in {len(failing)} of {len(methods)} methods: {names}"


def _counts(findings: Sequence[Finding]) -> list[tuple[Look, int]]:
    count = Counter(map(state, findings))
    return [(look, count[name]) for name, look in LOOKS.items() if count[name]]


def _plural(n: int, word: str) -> str:
    return f"{n:,} {word}{'s' * (n != 1)}"


# --- since an earlier file -----------------------------------------------------------
@dataclass(frozen=True)
class StateChange:
    """A (method, law, op) whose state changed."""

    method: str
    law: str
    op: str
    before: Look
    now: Look


@dataclass(frozen=True)
class Changes:
    """New failures, failures that are now kept, and the number of other changes."""

    worse: list[StateChange]
    better: list[StateChange]
    others: list[tuple[str, str, int]]
    only_before: list[str]
    only_now: list[str]
    more: int

    @property
    def says(self) -> str:
        """Return the changes in a sentence."""
        parts = [f"{_plural(len(self.worse), 'new failure')}", f"{_plural(len(self.better), 'failure')} gone"]
        other = sum(n for _, _, n in self.others)
        return f"Since the earlier file: {', '.join(parts)}, {other:,} other changes."


def changes(before: Sequence[Finding], now: Sequence[Finding]) -> Changes:
    """Compare by (method, law, op); of a method that only one file has, only the number of its (method, law, op) is counted."""
    old, new = _states(before), _states(now)
    moved = [
        StateChange(plain(key[0]), plain(key[1]), plain(key[2]), old[key], new[key])
        for key in new
        if key in old and old[key] is not new[key]
    ]
    worse = [c for c in moved if c.now.state in FAILED and c.before.state not in FAILED]
    better = [
        c for c in moved if c.before.state in FAILED and c.now.state == "kept"
    ]  # no longer failing only if it is neither known now nor judged too little
    rest = Counter((c.before.state, c.now.state) for c in moved if c not in worse and c not in better)
    first, last = ({plain(k[0]) for k in states} for states in (old, new))
    more = max(0, len(worse) - MOST_CHANGES) + max(0, len(better) - MOST_CHANGES)
    others = [(a, b, n) for (a, b), n in rest.most_common()]
    return Changes(worse, better, others, sorted(first - last)[:MOST_CHANGES], sorted(last - first)[:MOST_CHANGES], more)


def _states(findings: Sequence[Finding]) -> dict[CellId, Look]:
    return {cell: worst(group) for cell, group in by_cell(findings).items()}
