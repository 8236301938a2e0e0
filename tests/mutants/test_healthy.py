"""Right convolutions in other orders of summation, blocking, precision and layout: the judge must be silent."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from convlaws.laws import registry as laws
from convlaws.problem.problem import DTYPES, OPS
from convlaws.problem.scope import Scope
from convlaws.records.finding import Finding
from convlaws.sandbox.sandbox import Sandbox
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.targets.registry import rows


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def alarms(found: list[Finding]) -> list[str]:
    return [f"{f.method} {f.law}: {f.message}\n{f.problem}" for f in found if f.verdict.bad]


def judged(box: Sandbox, examples: int, seed: int, scope: Scope, names: list[str] | None = None) -> list[Finding]:
    chosen = laws.find(names or ["*"])
    return Search(Plan(rows("healthy"), chosen, scope, examples=examples, seed=seed), box).run()


def test_no_alarm_for_any_of_them(box):
    found = judged(
        box, 2, 0, Scope(macs=5_000), ["equals-the-definition", "*-bit-for-bit", "*-adjoint", "gradients-*", "layout-*"]
    )

    assert len(rows("healthy")) >= 10
    assert alarms(found) == []
    assert {f.op for f in found if f.examples} == {*OPS}
    assert sum(f.examples for f in found) >= 600


@pytest.mark.nightly
@pytest.mark.skipif(not os.environ.get("CONVLAWS_NIGHTLY"), reason="100,000 judged answers: set CONVLAWS_NIGHTLY=1")
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_alarm_in_a_hundred_thousand_answers(box, dtype):
    found = judged(box, 9, 1, Scope(dtypes=(dtype,)))

    assert alarms(found) == []
    assert {f.op for f in found if f.examples} == {*OPS}
    assert sum(f.examples for f in found) >= 25_000
