"""Hypothesis strategy for problems."""

from __future__ import annotations

from hypothesis import strategies as st

from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.strategies.specs import MAX_MACS, SEEDS, SpecSpace, picker, plan

_SEEDS = st.integers(0, SEEDS - 1)


@st.composite
def _problems(draw, plan: SpecSpace) -> Problem:
    seed = draw(_SEEDS)  # drawn first: see SpecSpace.guided
    return plan.problem(picker(draw), seed)


def problems(scope: Scope | None = None, *, max_macs: int = MAX_MACS) -> st.SearchStrategy[Problem]:
    """Return a strategy for problems within `scope`: `scope.refuses(problem)` is None for each.

    Valid by construction: nothing is filtered, and no draw raises. Sizes are lowered until a
    problem needs at most `max_macs` multiply-adds and is within the scope's own limits.

    Shrinks towards the spec that `conv_specs` shrinks to, without bias, fprop, float32,
    contiguous, integers, seed 0; if the scope excludes one of these, towards the next value.

    Raises:
        UsageError: the scope admits nothing; the message has the reason.
    """
    return _problems(plan(scope or Scope(), max_macs))
