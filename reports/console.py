"""Findings as text: the method x law table, each failure in full, and the one-line verdict of the run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from convlaws.records.at_level import AtLevel
from convlaws.records.finding import LEAST, Finding, Verdict, counted, name_parts
from convlaws.records.tallies import Share, cells_of
from convlaws.reports.states import LOOKS, state, worst

# the states of the legend, in its order, with their words
WORDS = {
    "kept": "kept",
    "broken": "broken",
    "crashed": "crashed",
    "hung": "hung",
    "known": "known failure",
    "vacuous": "vacuous",
    "refused": "refused",
}
PROFILED = 8  # steps, methods and laws that a profile lists
KNOWN_LEGEND = """\
explained: failing cases that are it; avoided: problems in its region that were not asked;
share: both, of all cases drawn for the methods where it hides any"""
LEGEND = "   ".join(f"{LOOKS[name].ascii} {told}" for name, told in WORDS.items())


def table(findings: Sequence[Finding]) -> str:
    """Return the table: one row per law, one column per method (or per op, if there is one method)."""
    methods = list(dict.fromkeys(f.method for f in findings))
    laws = list(dict.fromkeys(f.law for f in findings))
    single = len(methods) == 1
    columns = list(dict.fromkeys(f.op for f in findings)) if single else methods
    cells: dict[tuple[str, str], list[Finding]] = {}
    for f in findings:
        cells.setdefault((f.law, f.op if single else f.method), []).append(f)
    wide = max(map(len, laws), default=0)
    heads = columns if single else [str(n) for n in range(1, len(columns) + 1)]
    size = [max(2, len(h)) for h in heads]
    lines = [f"{'':{wide}}  " + " ".join(f"{h:>{n}}" for h, n in zip(heads, size, strict=True))]
    for law in laws:
        marks = (worst(cells.get((law, c), ())).ascii for c in columns)
        lines.append(f"{law:{wide}}  " + " ".join(f"{m:>{n}}" for m, n in zip(marks, size, strict=True)))
    return "\n".join([*lines, "", LEGEND])


def by_method(findings: Sequence[Finding]) -> str:
    """Return one line per method: counts by state, least and median examples, worst ratio, and the contract that holds."""
    methods = list(dict.fromkeys(f.method for f in findings))
    wide = max(map(len, methods), default=0)
    words = ("kept", "known", "failed", "vacuous", "refused")
    heads = "".join(f"{w:>9}" for w in words) + "   least  median  error/slack  draws refused  contract that holds"
    lines = [f"    {'':{wide}}{heads}"]
    for number, method in enumerate(methods, 1):
        mine = [f for f in findings if f.method == method]
        count = Counter({"broken": "failed", "crashed": "failed", "hung": "failed"}.get(s, s) for s in map(state, mine))
        judged = [f.examples for f in mine if f.verdict is not Verdict.REFUSED] or [0]
        worst = max((f.worst_ratio for f in mine if f.verdict is Verdict.KEPT), default=0.0)
        lines.append(
            f"{number:3} {method:{wide}}"
            + "".join(f"{count[w]:9}" for w in words)
            + f"{min(judged):8}{median(judged):8.0f}{worst:13.3f}{_refused_share(mine):15.1%}  {holding(mine)}"
        )
    return "\n".join(lines)


def profile(findings: Sequence[Finding], steps: Mapping[str, float]) -> str:
    """Return where the time went: by step, and the methods and laws that took most; '' if nobody looked.

    The time of a case is that of its method and law: its calls, its share of the definition, and its judgement.
    """
    if not steps:
        return ""
    tables: dict[str, dict[str, float]] = {"step": dict(steps), "method": defaultdict(float), "law": defaultdict(float)}
    for f in findings:
        tables["method"][f.method] += f.seconds
        tables["law"][f.law] += f.seconds
    lines = ["where the time went:"]
    for name, table in tables.items():
        total = sum(table.values()) or 1.0
        most = sorted(table.items(), key=lambda item: -item[1])[:PROFILED]
        lines += [f"  {name + ':':8}{says:44}{s:8.2f} s{s / total:6.0%}" for says, s in most]
    return "\n".join(lines)


def unasked(findings: Sequence[Finding]) -> str:
    """Return one line per method whose every (law, op) was refused for the same reason, such as a missing installation."""
    reasons: dict[str, set[str]] = {}
    for f in findings:
        reasons.setdefault(f.method, set()).add(f.message if f.verdict is Verdict.REFUSED else "")
    alone = {method: next(iter(said)) for method, said in reasons.items() if len(said) == 1}
    return "\n".join(f"{method}: {reason}" for method, reason in alone.items() if reason)


def _refused_share(findings: Sequence[Finding]) -> float:
    """Return the share of the drawn problems that was refused."""
    cells = cells_of(findings).values()
    drawn = sum(f.drawn + sum(f.avoided.values()) for f in cells)  # avoided problems are refused before the method is called
    return sum(sum(f.refused.values()) for f in cells) / drawn if drawn else 0.0


def held(findings: Sequence[Finding]) -> dict[str, str]:
    """Return, by dtype, the tightest contract that all compared answers kept, 'none' if there is none."""
    by_dtype: dict[str, list[str]] = {}
    for f in findings:
        for dtype, names in f.holds.items():
            by_dtype[dtype] = [name for name in by_dtype.get(dtype, names) if name in names]
    return {dtype: next(iter(names), "none") for dtype, names in by_dtype.items()}


def holding(findings: Sequence[Finding]) -> str:
    """Return the contracts of `held` as a phrase: 'plain; bfloat16 storage'."""
    first = held(findings)
    common = max(first.values(), key=list(first.values()).count, default="")
    return "; ".join([common, *(f"{dtype} {name}" for dtype, name in first.items() if name != common)])


def failure(f: Finding) -> str:
    """Return a failure in full; the line that repeats it is the last."""
    head = f"{f.method} {_VERB[f.verdict]} {f.law} ({f.op})"
    notes = [f"known finding {f.known}"] * bool(f.known) + [f"flaky: repeated {f.flaky} times"] * bool(f.flaky)
    notes += [f"ran {', '.join(f.ran)}"] * bool(f.ran)
    contract = f"  contract {f.contract}" + "".join(f"; {n}" for n in notes)
    lines = [*f.history, f.problem]
    history = ["  it needs the lines before it, in the same process"] * bool(f.history)
    return "\n".join([f"{head}: {f.says}", _indent(f.message), contract, *history, "  repeat:", *lines])


_VERB = {
    Verdict.BROKEN: "breaks",
    Verdict.CRASHED: "crashes in",
    Verdict.HUNG: "hangs in",
}


def _indent(text: str) -> str:
    return "\n".join(line if line.startswith("  ") else f"  {line}" for line in text.splitlines())


def failures(findings: Sequence[Finding], *, most: int | None = 12) -> str:
    """Return the new failures, the most specific law of each method and op first; only `most` are shown, the rest is counted."""
    bad = [f for f in findings if f.verdict.bad and not f.known]
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for f in bad:
        groups.setdefault((f.method, f.op, f.problem), []).append(f)
    parts = []
    for group in list(groups.values())[:most]:
        group.sort(key=lambda f: -f.specific)
        others = [f.law for f in group[1:]]
        also = f"\n  the same line also breaks: {', '.join(others)}" if others else ""
        text = failure(group[0])
        head, _, tail = text.rpartition("\n  repeat:")
        parts.append(f"{head}{also}\n  repeat:{tail}")
    if most is not None and len(groups) > most:
        parts.append(f"... and {len(groups) - most} more failing lines; --json FILE has them all")
    return "\n\n".join(parts)


def known_summary(hidden: Sequence[Share], told: Sequence[str] = ()) -> str:
    """Return a line per known finding: the share of cases that it explains or avoids; then the lines of `told`."""
    if not hidden:
        return "\n".join(told)
    wide = max(len("known finding"), *(len(s.id) for s in hidden))
    lines = [f"{'known finding':{wide}}  explained  avoided    share  of cases"]
    lines += [f"{s.id:{wide}}{s.explained:11,}{s.avoided:9,}{s.share:9.2%}{s.cases:10,}" for s in hidden]
    return "\n".join([*lines, KNOWN_LEGEND, *told])


@dataclass(frozen=True, kw_only=True)
class Where:
    """The processor and ISA level of a run, and where its findings file and page are ('' = none)."""

    processor: str
    level: str
    findings: str = ""
    page: str = ""


def engines(findings: Sequence[Finding], names: Sequence[str], where: Where) -> str:
    """Summarize failures of engines: on record, new on this processor, and the commands that show and record them."""
    bad = [f for f in findings if f.verdict.bad and f.method in names]
    if not bad:
        return ""
    lines, wide = [], max(len(f.method) for f in bad)
    for method in dict.fromkeys(f.method for f in bad):
        mine = [f for f in bad if f.method == method]
        on_record = sorted({f.known for f in mine if f.known})
        new = {(f.op, f.problem) for f in mine if not f.known}
        said = f" ({', '.join(on_record)})" if on_record else ""
        lines.append(f"  {method:{wide}}  {len(on_record)} on record{said}, {counted(len(new), 'new failing line')}")
    known_ids = {f.known for f in bad if f.known}
    new_lines = {(f.method, f.op, f.problem) for f in bad if not f.known}
    rows = {name_parts(f.method)[0] for f in bad}
    head = (
        f"found in {counted(len(rows), 'engine')}: {counted(len(known_ids), 'defect')} on record, "
        f"{counted(len(new_lines), 'failing line')} new on this processor ({where.processor}, {where.level})"
    )
    return "\n".join([head, *lines, *_next_steps(where, bool(new_lines))])


def _next_steps(where: Where, new: bool) -> list[str]:
    file = where.findings or "FINDINGS.jsonl"
    show = [f"  show them:   {where.page}" if where.page else f"  show them:   convlaws report {file} -o page.html"]
    record = [f"  record them: convlaws known add {file} -o known.json    then: convlaws check ... --known known.json"]
    rerun = ["  (run again with --json FINDINGS.jsonl to have the file)"] * (not where.findings)
    return [*show, *(record if new else []), *rerun]


def by_level(findings: Sequence[Finding], levels: Sequence[AtLevel]) -> str:
    """Summarize rows that ran at several ISA levels: failures and contracts at each, and where the bits differ."""
    if not levels:
        return ""
    wide = max(len(level.method) for level in levels)
    lines = [f"{'at ISA level':{wide}}  kept  known  failed  contract that holds"]
    for level in levels:
        mine = [f for f in findings if f.method == level.method]
        count = Counter(map(state, mine))
        failed = sum(count[word] for word in ("broken", "crashed", "hung"))
        lines.append(f"{level.method:{wide}}{count['kept']:6}{count['known']:7}{failed:8}  {holding(mine)}")
        lines += [f"{'':{wide}}  {said}" for said in level.said()]
    return "\n".join(lines)


def verdict_line(findings: Sequence[Finding], judged: int, seconds: float) -> str:
    """Return the verdict of the whole run in one sentence."""
    count = Counter(map(state, findings))
    new = sum(count[k] for k in ("broken", "crashed", "hung"))
    said = counted(new, "new failure") if new else "no new failure"
    if not any(f.verified for f in findings):
        said = f"{said}, and nothing was verified" if new else "nothing was verified"
    few = [f.examples for f in findings if f.verdict is Verdict.KEPT and f.examples < LEAST]
    only = f" ({len(few)} of them on less than {LEAST} examples, the least is {min(few)})" if few else ""
    return (
        f"{said}: {count['kept']} (method, law, op) kept{only}, {count['known']} known failures, "
        f"{count['vacuous']} vacuous, {count['refused']} refused; "
        f"{judged:,} cases in {seconds:.0f} s"
    )
