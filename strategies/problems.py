"""Problems drawn with Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.strategies.specs import MAX_MACS, SEEDS, SpecSpace, picker, plan

_SEEDS = st.integers(0, SEEDS - 1)


@st.composite
def _problems(draw, plan: SpecSpace) -> Problem:
    seed = draw(_SEEDS)  # the first choice: see Plan.granted
    return plan.problem(picker(draw), seed)


def problems(scope: Scope | None = None, *, max_macs: int = MAX_MACS) -> st.SearchStrategy[Problem]:
    """Problems within `scope`: `scope.refuses(problem)` is None for each.

    Valid by construction: nothing is filtered, and no draw raises. Sizes are lowered until a
    problem takes `max_macs` multiply-adds at most, or the scope's own limits.

    Shrinks towards the spec that `conv_specs` shrinks to, without bias, fprop, float32,
    contiguous, integers, seed 0; where the scope leaves one of these out, to the next.

    Raises:
        UsageError: the scope admits nothing; the message has the reason.
    """
    return _problems(plan(scope or Scope(), max_macs))
