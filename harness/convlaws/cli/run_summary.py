"""Summary record of a run: cases, time, environment."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from convlaws.judge.known_status import KnownStatus
from convlaws.mutants.registry import all_mutants
from convlaws.problem.problem import Problem
from convlaws.records import environment
from convlaws.records.at_level import AtLevel
from convlaws.records.coverage import AXES
from convlaws.records.finding import Finding, digest, summary_line
from convlaws.records.tallies import counts, shares
from convlaws.search.plan import Plan
from convlaws.strategies.blocks import DRAW
from convlaws.targets.registry import ON_GPU


class Counted:
    """Progress totals of all workers: cases, coverage, lost findings."""

    def __init__(self):
        self.by_worker: dict[int, int] = {}
        self.interrupted = False
        self.coverage: dict[str, dict] = {}
        self.profile: dict[str, float] = {}  # seconds by step, of all workers
        self.lost: list[str] = []  # messages on findings lost with their worker

    def see(self, event: dict) -> None:
        """Add a progress event."""
        self.coverage |= event.get("census", {})
        for step, seconds in event.get("profile", {}).items():
            self.profile[step] = self.profile.get(step, 0.0) + seconds
        self.interrupted |= event.get("interrupted", False)
        self.lost += [event["lost"]] if "lost" in event else []
        if "judged" in event:
            self.by_worker[event.get("worker", 0)] = event["judged"]

    @property
    def total(self) -> int:
        """Number of cases judged so far."""
        return sum(self.by_worker.values())


class RunSummary:
    """The summary record of a run, from its start on."""

    def __init__(self, plan: Plan, workers: int, problems: list[Problem], judged: Counted):
        self.started = time.monotonic()
        self.environment = environment.facts(
            gpu=any(m.kind in ON_GPU for m in plan.methods),
            packages=sorted({m.package.name for m in plan.methods if m.package}),
        )
        self.run = run_id(plan, workers, problems, self.environment["id"])
        self.seed, self.judged = plan.seed, judged
        self.mutants = _mutants(plan)
        self.absent: list[KnownStatus] = []
        self.levels: list[AtLevel] = []
        self.ended: float | None = None
        self._encoded: dict[int, tuple[Finding, str]] = {}  # by the id of a finding, which is kept with it

    def close(self, absent: list[KnownStatus]) -> None:
        """End the timing of the search; `absent` are the known findings that do not show here."""
        self.absent, self.ended = absent, time.monotonic()

    @property
    def seconds(self) -> float:
        """The seconds that it took, or has taken so far."""
        return (self.ended or time.monotonic()) - self.started

    def facts(self, findings: list[Finding], done: bool) -> dict:
        """The fields of the summary; `done` if the run is complete."""
        return {
            "run": self.run,
            "command": sys.argv[1:],
            "environment": self.environment,
            "seconds": round(self.seconds, 2),
            "judged": self.judged.total,
            "seed": self.seed,
            "draw": DRAW,
            "known_not_shown": [s.entry.id for s in self.absent],
            "known_findings": [s.record() for s in shares(findings)],
            "interrupted": self.judged.interrupted,
            "lost": self.judged.lost,
            "unfinished": not done,
            "coverage": {"axes": AXES, "methods": self.judged.coverage},
            **({"levels": {level.method: level.record() for level in self.levels}} if self.levels else {}),
            **({"profile": {step: round(s, 3) for step, s in profile.items()}} if (profile := self.judged.profile) else {}),
            **({"mutants": self.mutants} if self.mutants else {}),
            **counts(findings),
        }

    def _line(self, finding: Finding) -> str:
        """Return a finding as a line; one that is written again is not encoded again."""
        kept, line = self._encoded.get(id(finding), (None, ""))
        return line if kept is finding else finding.to_line()

    def lines(self, findings: list[Finding], done: bool) -> str:
        """The text of the findings file."""
        for f in findings:
            f.run, f.environment = self.run, self.environment["id"]
        lines = [self._line(f) for f in findings]
        self._encoded = {id(f): (f, line) for f, line in zip(findings, lines, strict=True)}
        lines.append(summary_line(**self.facts(findings, done)))
        return "".join(f"{line}\n" for line in lines)


def _mutants(plan: Plan) -> dict[str, dict]:
    """The facts about each mutant of the plan."""
    names = {m.name for m in plan.methods if m.kind == "mutant"}
    chosen = (m for m in all_mutants() if f"mutant-{m.name}" in names)
    return {
        f"mutant-{m.name}": {"defect": m.defect, "difficulty": m.difficulty, "thread": m.thread, "says": m.says} for m in chosen
    }


def run_id(plan: Plan, workers: int, problems: list[Problem], environment: str) -> str:
    """The id of a run; a restart in the same environment has the same.

    The duration is not part of it: of two runs that differ in nothing else, one has judged all
    that the other has, and more. The draws are shared by the methods of a worker, so the number of
    workers and the order of the methods are part of it.
    """
    named = {
        "targets": [_named(method.to_dict()) for method in plan.methods],
        "laws": [law.name for law in plan.laws],
        "scope": asdict(plan.scope),
        "seed": plan.seed,
        "draw": DRAW,
        "hands": min(workers, len(plan.methods)),
        "problems": [str(problem) for problem in problems],
        "environment": environment,
    }
    return digest(json.dumps(named, sort_keys=True, default=str))


def _named(record: dict[str, str]) -> dict[str, str]:
    """A serialised method, with a digest of the file of a user's function: changed content makes another function."""
    file = Path(record.get("function", "").rpartition(":")[0])
    content = digest(file.read_bytes().decode("latin-1")) if file.suffix == ".py" and file.is_file() else ""
    return {**record, "content": content}
