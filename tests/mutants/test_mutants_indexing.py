"""Mutants of indexing, gradients, shapes and thresholds: wrong somewhere, and right where a trigger is missing."""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random

import numpy as np
import pytest
from mutants_ground import applies, given, narrowed, shows

from convlaws.mutants import all_mutants
from convlaws.oracle.contracts import CONTRACTS, interval
from convlaws.oracle.oracle import answer
from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE
from convlaws.strategies.blocks import chance
from convlaws.targets.registry import get

FILES = ("axes", "beyond", "gradients", "groups", "indexing", "padding", "tails", "thresholds", "transposed")
MINE = [m for m in all_mutants() if get(f"mutant-{m.name}").address.split(":")[0].rpartition(".")[2] in FILES]
DRAWN, TRIED = 60, 6000


@lru_cache(maxsize=1)
def drawn() -> list[Problem]:
    return [drawn.problem for drawn in chance(WHOLE, Random(5), DRAWN)]


@lru_cache(maxsize=DRAWN + 1)
def allowed(problem: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each result must lie, and where anything goes."""
    found = interval(answer(problem.spec, problem.op, problem.operands), CONTRACTS["plain"], problem.format)
    free = np.zeros(found.low.shape, bool) if found.free is None else found.free
    return found.low, found.high, free


@pytest.mark.parametrize("mistake", MINE, ids=lambda m: m.name)
def test_a_mutant_is_right_where_a_trigger_is_missing(mistake):
    elsewhere = [p for p in drawn() if not applies(mistake, p) and get(f"mutant-{mistake.name}").scope.refuses(p) is None]

    assert len(elsewhere) >= 4
    for problem in elsewhere:
        y, (low, high, free) = given(mistake, problem), allowed(problem)
        assert y.dtype == problem.format.dtype
        assert y.shape == low.shape
        wide = y.astype(low.dtype)
        assert np.all(free | ((low <= wide) & (wide <= high)) | np.isnan(low) & np.isnan(wide)), str(problem)


@pytest.mark.parametrize("mistake", MINE, ids=lambda m: m.name)
def test_a_mutant_is_wrong_somewhere_within_its_triggers(mistake):
    scope = narrowed(mistake, get(f"mutant-{mistake.name}").scope)

    assert any(shows(mistake, drawn.problem) for drawn in chance(scope, Random(1), TRIED))


@pytest.mark.parametrize("mistake", MINE, ids=lambda m: m.name)
def test_a_mutant_names_a_public_report(mistake):
    assert re.fullmatch(r"[\w.-]+/[\w.-]+#[1-9]\d*|https://\S+", mistake.thread)
    assert not mistake.like or mistake.like in {m.name for m in all_mutants()} - {mistake.name}


def test_the_library_holds_enough_of_different_kinds():
    kinds = [m for m in MINE if not m.like]

    assert len(kinds) >= 100
    assert {m.difficulty for m in kinds} == {"easy", "medium", "hard"}
