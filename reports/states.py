"""The display of each state of a (method, law, op): symbols, a word and a style-sheet class, never a colour alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from convlaws.records.finding import Finding

__all__ = ["FAILED", "LOOKS", "Look", "is_mutant", "look", "state", "worst"]


@dataclass(frozen=True)
class Look:
    """A state: its symbols on the page, in Markdown and on a terminal, its style-sheet class, and its meaning."""

    state: str
    symbol: str
    ascii: str
    css: str
    says: str


# the worst first: a cell of the matrix shows the worst state of its ops
LOOKS = {
    row.state: row
    for row in (
        Look("broken", "\u2717", "X", "b", "the law does not hold"),
        Look("crashed", "!", "!", "c", "the method raised, or its process died"),
        Look("hung", "\u221e", "H", "h", "no answer within the time limit"),
        Look("known", "k", "k", "n", "a failure that is on record, with its lines"),
        Look("vacuous", "?", "?", "v", "nothing broke, but on too little to say so"),
        Look("kept", "\u2713", "+", "k", "held on enough examples that mean something"),
        Look("refused", "\u2013", ".", "r", "out of the method's declared scope"),
        Look("not tried", "", " ", "z", "not in this file"),
    )
}
FAILED = ("broken", "crashed", "hung")


def state(finding: Finding) -> str:
    """Return the verdict, or 'known' for a failure that a known finding explains."""
    return "known" if finding.verdict.bad and finding.known else str(finding.verdict)


def look(finding: Finding) -> Look:
    """Return the look of a finding."""
    return LOOKS[state(finding)]


def worst(findings: Iterable[Finding]) -> Look:
    """Return the look of the worst finding; 'not tried' if there is none."""
    order = list(LOOKS)
    return LOOKS[min(map(state, findings), key=order.index, default="not tried")]


def is_mutant(method: str) -> bool:
    """True if the method is a mutant, judged by its name."""
    return method.startswith("mutant-")
