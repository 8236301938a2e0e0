"""How well the judge sees: which laws kill which mutants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from convlaws.reports.families import family, order
from convlaws.reports.matrix import Matrix, matrix
from convlaws.reports.plain import LINE, one_line, plain
from convlaws.reports.states import Look, is_mutant, worst
from convlaws.results import Finding, Verdict


@dataclass(frozen=True)
class Kill:
    """A mutant: what killed it, and the shortest line that shows it. `look` is that of its worst failure."""

    mutant: str
    look: Look
    families: list[int]  # how many laws of each family kill it
    laws: int
    names: str  # the most specific law of those
    line: str
    to: str


@dataclass(frozen=True)
class Judge:
    """The mutants, and by law how many it kills."""

    titles: list[str]
    kills: list[Kill]
    by_law: list[tuple[str, int, int]]  # (law, mutants killed, mutants judged by it)
    survivors: list[str]
    matrix: Matrix


def judge(findings: Sequence[Finding], anchors: dict[str, str]) -> Judge | None:
    """None where the file has no mutant."""
    ours = [f for f in findings if is_mutant(f.method)]
    if not ours:
        return None
    laws = sorted({f.law for f in ours}, key=order)
    titles = list(dict.fromkeys(map(family, laws)))
    by_mutant: dict[str, list[Finding]] = {}
    for f in ours:
        by_mutant.setdefault(f.method, []).append(f)
    killed = Counter(law for _, law in {(f.method, f.law) for f in ours if f.verdict.bad})
    judged = Counter(law for _, law in {(f.method, f.law) for f in ours if f.verdict.bad or f.verdict is Verdict.KEPT})
    kills = [_kill(m, [f for f in fs if f.verdict.bad], titles, anchors) for m, fs in by_mutant.items()]
    table = sorted(((plain(law), killed[law], judged[law]) for law in laws), key=lambda row: -row[1])
    return Judge(
        titles, kills, table, [k.mutant for k in kills if not k.laws], matrix(ours, list(by_mutant), anchors, sheeted=False)
    )


def _kill(mutant: str, bad: list[Finding], titles: list[str], anchors: dict[str, str]) -> Kill:
    laws = {f.law for f in bad}
    count = Counter(family(law) for law in laws)
    lead = min(bad, key=lambda f: (-f.specific, len(f.problem)), default=None)
    line = min((f.problem for f in bad if f.problem), key=len, default="")
    name, to = (plain(lead.law), anchors.get(lead.id, "")) if lead else ("", "")
    return Kill(plain(mutant), worst(bad), [count[t] for t in titles], len(laws), name, one_line(line, LINE), to)
