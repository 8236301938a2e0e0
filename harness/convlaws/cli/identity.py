"""The id of a run: what determines which problems it judges, and with which code."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from convlaws.problem.problem import Problem
from convlaws.records.finding import digest
from convlaws.search.plan import Plan


def run_id(plan: Plan, workers: int, problems: list[Problem], environment: str) -> str:
    """The same for a run that was started again, in the same environment.

    How long it draws is no part of it: of two runs that differ in nothing else, one has judged all
    that the other has, and more. The draws are shared by the methods of a worker, so the number of
    workers and the order of the methods are part of it.
    """
    named = {
        "targets": [_named(method.passport()) for method in plan.methods],
        "laws": [law.name for law in plan.laws],
        "scope": asdict(plan.scope),
        "seed": plan.seed,
        "hands": min(workers, len(plan.methods)),
        "problems": [str(problem) for problem in problems],
        "environment": environment,
    }
    return digest(json.dumps(named, sort_keys=True, default=str))


def _named(passport: dict[str, str]) -> dict[str, str]:
    """A passport, with what is in the file of a user's function: another content is another function."""
    file = Path(passport.get("function", "").rpartition(":")[0])
    content = digest(file.read_bytes().decode("latin-1")) if file.suffix == ".py" and file.is_file() else ""
    return {**passport, "content": content}
