"""The published form of a file of chores: one record a line, only for what is registered now, without machine-only fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from convlaws.laws.registry import laws
from convlaws.mutants.registry import Mutant
from convlaws.mutants.survivors import INNOCENT, REASONS
from convlaws.mutation.jobs import Budgets, Chore, Record, state_of
from convlaws.mutation.pool import lines
from convlaws.records import environment

SCHEMA = 1


def records(path: Path, chores: Sequence[Chore], chosen: Sequence[Mutant], budgets: Budgets) -> list[Record]:
    """The records of these chores, preceded by one record for the run and one for every law and every mutant."""
    keys = {chore.key for chore in chores}
    facts = environment.facts()
    run = {name: facts[name] for name in ("python", "system", "cpu", "cpu_flags", "cpus", "versions")}
    head = [{"kind": "sight", "schema": SCHEMA, "environment": run, "budgets": asdict(budgets)}]
    head += [{"kind": "law", "law": w.name, "family": w.family, "specific": w.specific} for w in laws()]
    head += [_mutant(mistake) for mistake in chosen]
    done = [record for line in lines(path) if line["chore"] in keys for record in line["records"]]
    return head + sorted(
        map(_short, done), key=lambda r: (r["kind"], r.get("mutant") or r["method"], r["seed"], r.get("judge", ""))
    )


def _mutant(mistake: Mutant) -> Record:
    about = {name: value for name, value in asdict(mistake).items() if name != "name"}
    innocent, reason = INNOCENT.get(mistake.name, ""), REASONS.get(mistake.name, "")
    more = {"difficulty": mistake.difficulty, "weight": mistake.weight, "state": state_of(mistake)}
    return {"kind": "mutant", "mutant": mistake.name, **about, **more, "innocent": innocent, "reason": reason}


def _short(record: Record) -> Record:
    """The record with its laws as names, without the problem that first broke each: the quest has a shrunk one."""
    return {**record, "laws": sorted(record["laws"])} if record["kind"] == "kills" else record


def written(found: Sequence[Record]) -> str:
    """The text of the file."""
    return "".join(f"{json.dumps(record)}\n" for record in found)
