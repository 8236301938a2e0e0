"""Each law of structure, duality, composition and repetition is kept by a right method and broken by a wrong one."""

from __future__ import annotations

import pytest
from laws_in_process import InProcess, problems, right
from laws_wrong_methods import MUTANTS

from convlaws.laws import beyond, composition, duality, repetition, structure
from convlaws.laws.registry import Law, laws
from convlaws.oracle.claim import judge
from convlaws.problem.formats import FORMATS
from convlaws.problem.problem import Problem

ROOMS = {m.__name__ for m in (structure, beyond, duality, composition, repetition)}
LAWS = [law for law in laws() if law.claims.__module__ in ROOMS]
OPS = [pytest.param(law, op, id=f"{law.name}-{op}") for law in LAWS for op in law.scope.ops]
EXAMPLES = 40  # of each law and op


def claims(law: Law, problem: Problem, method) -> list:
    made = law.claims(problem, InProcess(method, problem))
    return made if isinstance(made, list) else [made]


# --- kept ------------------------------------------------------------------------------
@pytest.mark.parametrize(("law", "op"), OPS)
def test_a_right_method_keeps_the_law_and_it_means_something(law, op):
    given = list(problems(law, EXAMPLES, op))

    made = [(p, claims(law, p, right)) for p in given]

    assert not [f"{m}\n  {p}" for p, found in made for c in found if (m := judge(c))]
    empty = [str(p) for p, found in made if all(c.vacuous() for c in found)]
    assert len(empty) <= EXAMPLES // 7, empty[:3]


# --- broken ----------------------------------------------------------------------------
def test_every_law_has_a_wrong_method():
    assert {law.name for law in LAWS} == set(MUTANTS)


@pytest.mark.parametrize(("law", "op"), OPS)
def test_a_wrong_method_breaks_the_law_in_each_op(law, op):
    given = problems(law, EXAMPLES, op)

    found = sum(any(judge(c) for c in claims(law, p, MUTANTS[law.name]())) for p in given)

    assert found >= 3, f"broken for {found} of {EXAMPLES} problems"


def test_every_dtype_is_drawn():
    drawn = {p.dtype for law in LAWS for p in problems(law, 10)}

    assert drawn == set(FORMATS)
