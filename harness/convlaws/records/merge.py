"""Merge the findings files of shards, machines and engines: nothing is lost, and nothing is counted twice.

**Identity of runs.** A *run* is what determines its draws: targets, laws, scope, seed, number of
workers, problems, the code's environment. Its id is a digest of these, so a shard that was restarted
has the same id and has judged the same problems again: of its records of one (method, law, op)
those that got furthest count, and a failure counts once. Shards differ in seed or targets, so
their examples are different ones, and are added.

An *environment* is the versions, the processor and the variables that a result depends on. The same
method in two environments is two things that only share a name: their findings are never added, and
`Run.places` has the text that distinguishes them. Two machines that agree in every recorded fact are
one environment: no record could distinguish their answers.

A file from before runs had ids is one run for each summary in it, named by a digest of its content; the
same file twice is the same run. A user's own function is named by its address: its file's content
is part of the id of a run, but not of the method's name, so merge only runs of the same code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from convlaws.records.finding import LEAST, CellId, Finding, Verdict, too_few
from convlaws.records.runs import Place, shards


@dataclass(frozen=True)
class Run:
    """Several runs merged: findings added up for each environment, and the summary of each run.

    `notes` lists what is missing: a run without its summary, an empty file.
    """

    findings: list[Finding]
    summaries: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def places(self) -> dict[str, str]:
        """Text for each environment's id that distinguishes it from the others; '' if there is only one."""
        known = {s["environment"]["id"]: _flat(s["environment"]) for s in self.summaries if _has_id(s)}
        ids = list(dict.fromkeys([*(f.environment for f in self.findings), *known]))
        keys = dict.fromkeys(key for facts in known.values() for key in facts if key != "id")
        differ = [key for key in keys if len({facts.get(key) for facts in known.values()}) > 1]
        words = {id: _words(known.get(id, {}), differ) for id in ids}
        clash = len(set(words.values())) < len(ids)
        return {id: "" if len(ids) == 1 else f"{text} [{id}]" if clash else text for id, text in words.items()}

    def apart(self) -> list[Finding]:
        """The findings; with several environments, each method's name includes its environment."""
        places = self.places
        return [replace(f, method=f"{f.method} ({words})") if (words := places[f.environment]) else f for f in self.findings]


def _has_id(summary: dict) -> bool:
    return isinstance(summary.get("environment"), dict) and isinstance(summary["environment"].get("id"), str)


def _flat(facts: dict) -> dict[str, str]:
    """Facts as a flat table, the versions first, as they are compared most often."""
    versions = facts.get("versions")
    rest = {k: v if isinstance(v, str) else json.dumps(v, sort_keys=True) for k, v in facts.items() if k != "versions"}
    return {**{k: str(v) for k, v in (versions if isinstance(versions, dict) else {}).items()}, **rest}


def _words(facts: dict[str, str], differ: list[str]) -> str:
    said = ", ".join(f"{key} {facts[key][:60]}" for key in differ[:3] if key in facts)
    return said or "an environment that is not recorded"


def merged(paths: Iterable[Place]) -> Run:
    """Merge the runs of these files; the module docstring defines which runs and environments are the same.

    Raises:
        UsageError: a file cannot be read.
        SchemaError: a line is not a record; the message has FILE:LINE.
    """
    runs, notes = shards(paths)
    cells: dict[tuple[str, CellId], list[list[Finding]]] = {}
    for shard in runs:
        for key, records in shard.cells.items():
            cells.setdefault((records[0].environment, key), []).append(records)
    findings = [f for group in cells.values() for f in _added(group)]
    return Run(findings, [s.summary for s in runs if s.summary], notes)


def _added(group: list[list[Finding]]) -> list[Finding]:
    """The findings of one (method, law, op) in one environment, from the records of each run."""
    if len(group) == 1:
        return group[0]
    tallies = tallies_of([records[0] for records in group])
    every = [f for records in group for f in records]
    bad: dict[str, Finding] = {}
    for f in (f for f in every if f.verdict.bad):
        seen = bad.setdefault(f.id, f)
        # new in one run and known in another, reproducible in one and flaky in another: the less favourable holds
        bad[f.id] = replace(seen, known=seen.known and f.known, flaky=seen.flaky or f.flaky, within=_united(seen, f))
    if bad:
        return [replace(f, **tallies, run=_run(every)) for f in bad.values()]
    verdict, message = _verdict(every, tallies)
    worst = max(f.worst_ratio for f in every)
    return [replace(every[-1], verdict=verdict, message=message, worst_ratio=worst, run=_run(every), **tallies)]


def _united(one: Finding, other: Finding) -> dict[str, list]:
    """For each feature, the values of the failing problems of either."""
    names = dict.fromkeys([*one.within, *other.within])
    return {n: [*one.within.get(n, []), *(v for v in other.within.get(n, []) if v not in one.within.get(n, []))] for n in names}


def _run(findings: list[Finding]) -> str:
    """The id of the run, or '' if there are several."""
    runs = {f.run for f in findings}
    return runs.pop() if len(runs) == 1 else ""


def _verdict(every: list[Finding], tallies: dict) -> tuple[Verdict, str]:
    """The verdict without failures: kept if one run says so, or if all together have enough examples."""
    if all(f.verdict is Verdict.REFUSED for f in every):
        return Verdict.REFUSED, every[0].message
    if tallies["examples"] >= LEAST or any(f.verdict is Verdict.KEPT for f in every):
        return Verdict.KEPT, ""
    return Verdict.VACUOUS, too_few(tallies["examples"], tallies["vacuous"])


def tallies_of(some: list[Finding]) -> dict:
    """The sum of the tallies of several runs."""
    numbers = {name: sum(getattr(f, name) for f in some) for name in ("examples", "failed", "drawn", "seconds")}
    counts = {name: _summed(getattr(f, name) for f in some) for name in ("vacuous", "refused", "explained", "avoided", "ran")}
    bins = {name: _stacked([getattr(f, name) for f in some]) for name in ("error_histogram", "terms_histogram")}
    holds = _common([f.holds for f in some])
    return {**numbers, **counts, **bins, "holds": holds, "asked": ""}  # a checksum of one sequence of draws; here are several


def _common(some: list[dict[str, list[str]]]) -> dict[str, list[str]]:
    """For each dtype, the contracts that held in every run that judged it."""
    dtypes = dict.fromkeys(dtype for holds in some for dtype in holds)
    judged = {dtype: [holds[dtype] for holds in some if dtype in holds] for dtype in dtypes}
    return {dtype: [name for name in lists[0] if all(name in other for other in lists)] for dtype, lists in judged.items()}


def _summed(tables: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for table in tables:
        for reason, count in table.items():
            total[reason] = total.get(reason, 0) + count
    return total


def _stacked(rows: list[list[int]]) -> list[int]:
    longest = max(map(len, rows), default=0)
    return [sum(row[n] for row in rows if n < len(row)) for n in range(longest)]
