"""The page's mutant section: which laws kill which mutants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convlaws.records.finding import Finding, Verdict
from convlaws.reports.page.families import family, order
from convlaws.reports.page.matrix import Matrix, matrix
from convlaws.reports.sanitize import LINE, one_line, plain
from convlaws.reports.states import Look, is_mutant, worst

SAYS = 300  # characters shown of a mutant's description


@dataclass(frozen=True)
class Kill:
    """A mutant, the laws that kill it, and the shortest line that shows it. `look` is that of its worst failure.

    `after` and `seconds` are the cases and the time before the first failure; '' if the file does not have them.
    `tries` is the number of cases run to shrink the line.
    """

    mutant: str
    about: Mapping[str, str]
    look: Look
    families: list[int]  # how many laws of each family kill it
    laws: int
    names: str  # the most specific law of those
    line: str
    to: str
    after: str
    seconds: str
    tries: str


@dataclass(frozen=True)
class JudgeSummary:
    """The mutants, and how many of them each law kills."""

    titles: list[str]
    kills: list[Kill]
    by_law: list[tuple[str, int, int]]  # (law, mutants killed, mutants judged by it)
    survivors: list[str]
    matrix: Matrix


def judge(findings: Sequence[Finding], anchors: dict[str, str], summaries: Sequence[Mapping] = ()) -> JudgeSummary | None:
    """Summarize the mutants, described by the summaries; None if the file has no mutant."""
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
    about = _about(summaries)
    kills = [_kill(m, [f for f in fs if f.verdict.bad], titles, anchors, about) for m, fs in by_mutant.items()]
    table = sorted(((plain(law), killed[law], judged[law]) for law in laws), key=lambda row: -row[1])
    return JudgeSummary(
        titles, kills, table, [k.mutant for k in kills if not k.laws], matrix(ours, list(by_mutant), anchors, sheeted=False)
    )


def _about(summaries: Sequence[Mapping]) -> dict[str, dict[str, str]]:
    """Return the descriptions of the mutants by name; the files may be of another version or of unknown origin."""
    told = [s["mutants"] for s in summaries if isinstance(s.get("mutants"), Mapping)]
    return {
        name: {k: plain(v, SAYS) for k, v in facts.items()} for some in told for name, facts in some.items() if _is_facts(facts)
    }


def _is_facts(facts: object) -> bool:
    return isinstance(facts, Mapping) and all(isinstance(value, str) for value in facts.values())


def _kill(mutant: str, bad: list[Finding], titles: list[str], anchors: dict[str, str], about: Mapping[str, Mapping]) -> Kill:
    laws = {f.law for f in bad}
    count = Counter(family(law) for law in laws)
    lead = min(bad, key=lambda f: (-f.specific, len(f.problem)), default=None)
    small = min((f for f in bad if f.problem), key=lambda f: len(f.problem), default=None)
    first = min((f for f in bad if f.after), key=lambda f: f.after, default=None)
    return Kill(
        mutant=plain(mutant),
        about={"defect": "", "difficulty": "", "says": "", **about.get(mutant.partition(" ")[0], {})},
        look=worst(bad),
        families=[count[t] for t in titles],
        laws=len(laws),
        names=plain(lead.law) if lead else "",
        line=one_line(small.problem, LINE) if small else "",
        to=anchors.get(lead.id, "") if lead else "",
        after=f"{first.after:,}" if first else "",
        seconds=f"{first.after_seconds:.2g}" if first else "",
        tries=str(small.tries) if small and small.tries else "",
    )
