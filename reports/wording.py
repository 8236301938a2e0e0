"""The words and symbols with which a summary describes findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from convlaws.records.finding import Finding, Verdict
from convlaws.reports.states import LOOKS, state

# the worst first: a cell of the matrix shows the worst of its findings
STATES = {name: look.symbol for name, look in LOOKS.items() if look.symbol}


def worst(findings: Iterable[Finding]) -> str:
    """Return the worst state; refused is the last, as it adds nothing beside a kept finding."""
    return min(map(state, findings), key=list(STATES).index)


def failing(findings: Iterable[Finding]) -> list[Finding]:
    """Return the failures that are not known."""
    return [f for f in findings if f.verdict.bad and not f.known]


def grouped(failures: Iterable[Finding]) -> list[list[Finding]]:
    """Group failures by method, op and line, as one mistake breaks many laws; the most specific law comes first."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for f in failures:
        groups.setdefault((f.method, f.op, f.problem), []).append(f)
    return [sorted(group, key=lambda f: -f.specific) for group in groups.values()]


def sentence(findings: Sequence[Finding]) -> str:
    """Return the verdict in one sentence."""
    count = Counter(map(state, findings))
    new, methods = len(failing(findings)), len({f.method for f in failing(findings)})
    said = f"{new} new {_many(new, 'failure')} in {methods} {_many(methods, 'method')}" if new else "no new failure"
    if not new and not any(f.verdict is Verdict.KEPT or f.verdict.bad for f in findings):
        said = "nothing was verified"
    examples = sum(f.examples for f in _one_a_cell(findings))
    return (
        f"{said}; {count['kept']:,} (method, law, op) kept on {examples:,} examples, "
        f"{count['known']:,} known {_many(count['known'], 'failure')}, {count['vacuous']:,} vacuous, {count['refused']:,} refused"
    )


def _many(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _one_a_cell(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Return one finding per (method, law, op): all failures of a cell carry the same tallies."""
    return {(f.method, f.law, f.op, f.environment): f for f in findings}.values()


def unseen(findings: Iterable[Finding], earlier: Iterable[Finding]) -> list[Finding]:
    """Return the new failures by kind: not known, and not in the earlier findings.

    The kind is method, law, op and signature, whatever line shows it, as a search finds another line each time.
    """
    before = {_kind(f) for f in earlier if f.verdict.bad}
    return [f for f in failing(findings) if _kind(f) not in before]


def _kind(f: Finding) -> tuple[str, str, str, str]:
    return f.method, f.law, f.op, f.signature


def changed(findings: Sequence[Finding], earlier: Sequence[Finding]) -> str:
    """Return in one sentence what is new since the earlier findings and what is gone."""
    fresh = unseen(findings, earlier)
    now = {_kind(f) for f in findings if f.verdict.bad}
    judged = {f.cell for f in findings if f.verdict is Verdict.KEPT}
    gone = [f for f in failing(earlier) if _kind(f) not in now and f.cell in judged]
    return f"Since the earlier findings: {len(fresh)} {_many(len(fresh), 'failure')} appeared, {len(gone)} no longer show."
