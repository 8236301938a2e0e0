"""The order of the contracts: what the tightest allows, all others allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from convlaws.oracle.contracts import CONTRACTS, TIGHTEST, interval
from convlaws.oracle.oracle import answer
from convlaws.problem.formats import FORMATS
from convlaws.strategies.problems import problems

OTHERS = [name for name in CONTRACTS if name != TIGHTEST]


@pytest.mark.parametrize("name", OTHERS)
@settings(deadline=None)
@given(problem=problems())
def test_what_the_tightest_contract_allows_every_other_allows(name, problem):
    found, fmt = answer(problem.spec, problem.op, problem.operands), FORMATS[problem.dtype]

    tight, wide = (interval(found, CONTRACTS[contract], fmt) for contract in (TIGHTEST, name))

    asked = ~np.zeros(tight.low.shape, bool) if wide.free is None else ~wide.free
    assert not (tight.free is not None and (tight.free & asked).any()), f"free under {TIGHTEST} only: {problem}"
    assert not (asked & ((wide.low > tight.low) | (wide.high < tight.high))).any(), f"{name} is narrower: {problem}"


def test_the_tightest_comes_first():
    assert next(iter(CONTRACTS)) == TIGHTEST
