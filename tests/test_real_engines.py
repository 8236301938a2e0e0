"""Released engines through the sandbox: each case ends in a verdict, nothing is lost, each failure is on record or new.

That one is right is asserted nowhere: what an engine does depends on its release and on the processor.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest
from random_problems import random_problem

from convlaws.known import load
from convlaws.methods.registry import get, rows
from convlaws.problem import Problem
from convlaws.results import Verdict

BAD = {str(verdict) for verdict in Verdict if verdict.bad}
IDS = {entry.id for entry in load().entries}
PACKAGES = sorted({row.package.name for row in rows("engine") if row.package})  # those that are installed
LINES = 40
SEARCHED = ("torch-onednn", "torch-transpose", "scipy-correlate")


def checked(folder, *words):
    """(exit status, what it printed, findings, summary) of a run."""
    command = [sys.executable, "-m", "convlaws", "check", *words, "--law", "equals-the-definition", "--json", "f.jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, cwd=folder)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    *found, summary = [json.loads(line) for line in (folder / "f.jsonl").read_text().splitlines()]
    return done.returncode, done.stdout, found, summary


def amiss(names, status, printed, found, summary) -> list[str]:
    """What is wrong with a run, whatever the engines did."""
    bad = [f for f in found if f["verdict"] in BAD]
    new = [f for f in bad if not f["known"]]
    verified = bad or [f for f in found if f["verdict"] == "kept"]
    said = {
        "a verdict that is none": {f["verdict"] for f in found} - {str(verdict) for verdict in Verdict},
        "a row that is lost": set(names) ^ {f["method"] for f in found},
        "a record that is none": {f["known"] for f in found} - {"", *IDS},
        "a failure without a line or a word": [f for f in bad if not (f["problem"] and f["message"])],
        "a new failure that is not printed": {f["method"] for f in new if f["method"] not in printed},
        "the exit status": status != (1 if new else 0 if verified else 5) and status,
        "cut short": summary["unfinished"] or summary["interrupted"],
    }
    return [f"{what}: {which}" for what, which in said.items() if which]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_given_line_ends_in_a_verdict_and_every_failure_is_on_record_or_new(package, tmp_path):
    methods, rng = [row for row in rows("engine") if row.package and row.package.name == package], random.Random(package)
    lines = [str(random_problem(rng, rng.choice(methods).scope)) for _ in range(LINES)]
    (tmp_path / "lines.txt").write_text("\n".join(lines))
    names = {row.name for row in methods}

    status, printed, found, summary = checked(tmp_path, *sorted(names), "--problems", "lines.txt")

    assert amiss(names, status, printed, found, summary) == []
    done = {m.name: sum(m.scope.refuses(p) is None for p in map(Problem.parse, lines)) for m in methods}
    judged = {name: sum(f["drawn"] for f in found if f["method"] == name) for name in names}
    assert {name: n for name, n in judged.items() if n < done[name]} == {}  # each line that a row does was asked


@pytest.mark.parametrize("name", SEARCHED)
def test_a_search_among_them_ends_alike(name, tmp_path):
    if reason := get(name).absent:
        pytest.skip(reason)

    run = checked(tmp_path, name, "--examples", "20", "--workers", "2")

    assert amiss([name], *run) == []
