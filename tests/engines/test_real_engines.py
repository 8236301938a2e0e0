"""Released engines through the sandbox: each case ends in a verdict, nothing is lost, each failure is on record or new.

That one is right is asserted nowhere: what an engine does depends on its release and on the processor.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from random_problems import random_problem

from convlaws.cli.check import exit_code
from convlaws.known import load
from convlaws.laws.registry import find as laws
from convlaws.problem.scope import WHOLE
from convlaws.records.finding import Verdict
from convlaws.reports import console
from convlaws.sandbox.sandbox import Sandbox
from convlaws.search.given import given
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.targets.registry import get, rows

IDS = {entry.id for entry in load().entries}
PACKAGES = sorted({row.package.name for row in rows("engine") if row.package})  # those that are installed
LINES = 40
SEARCHED = ("torch-onednn", "torch-transpose", "scipy-correlate")


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


def amiss(methods, findings) -> list[str]:
    """What is wrong with the findings of a run, whatever the engines did."""
    bad = [f for f in findings if f.verdict.bad]
    new = [f for f in bad if not f.known]
    printed = console.failures(findings, most=None)
    verified = bad or [f for f in findings if f.verdict is Verdict.KEPT]
    said = {
        "a verdict that is none": {f.verdict for f in findings} - set(Verdict),
        "a row that is lost": {m.name for m in methods} ^ {f.method for f in findings},
        "a record that is none": {f.known for f in findings} - {"", *IDS},
        "a failure without a line or a word": [f for f in bad if not (f.problem and f.message)],
        "a new failure that is not printed": [f for f in new if f.problem not in printed or f.method not in printed],
        "the exit code": exit_code(findings) != (1 if new else 0 if verified else 5),
    }
    return [f"{what}: {which}" for what, which in said.items() if which]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_given_line_ends_in_a_verdict_and_every_failure_is_on_record_or_new(package, box):
    methods, rng = [row for row in rows("engine") if row.package and row.package.name == package], random.Random(package)
    problems = [random_problem(rng, rng.choice(methods).scope) for _ in range(LINES)]
    plan = Plan(methods, laws(["equals-the-definition"]), WHOLE)

    found = given(plan, problems, box, load(), lambda event: None)

    assert amiss(methods, found) == []
    drawn = {(f.method, f.op): f.drawn for f in found}  # several failures of a cell have a finding each
    assert Counter({m.name: LINES for m in methods}) == sum((Counter({name: n}) for (name, _), n in drawn.items()), Counter())


@pytest.mark.parametrize("name", SEARCHED)
def test_a_search_among_them_ends_alike(name, box):
    method = get(name)
    if method.absent:
        pytest.skip(method.absent)

    found = Search(Plan([method], laws(["equals-the-definition"])), box, load()).run()

    assert amiss([method], found) == []
