"""A method's call on a problem's arrays, of which no answer goes unjudged: a wrong method has no time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cached_property, partial
from typing import Any


class WrongError(AssertionError):
    """An answer outside of what the method's contract allows."""


class Verified:
    """One method on one problem, whose arrays are laid out as it asks.

    `call` is what is timed, `verify` judges its latest answer. With `prepared`, what a user does once, such as
    building a session, is done here, where the engine tells it apart.

    Raises:
        NotImplementedError: the method refuses the problem, in its own words; asv takes that for a skip.
    """

    def __init__(self, problem: Any, row: Any, *, prepared: bool = True):
        if reason := row.absent or row.scope.refuses(problem):
            raise NotImplementedError(reason)
        self.problem, self.row = problem, row
        arrays = {role: _laid_out(problem, role, a) for role, a in problem.operands.items()}
        self._compute = ExitStack().enter_context(opened(row, problem, arrays, prepared))  # open as long as the process
        self._right: Any = None

    def call(self) -> None:
        """Arrays in memory to an array in memory, in this process."""
        from convlaws.errors import Refusal

        try:
            self.got = self._compute()
        except Refusal as refusal:
            raise NotImplementedError(str(refusal)) from None

    @cached_property
    def _allowed(self) -> tuple[Any, Any]:
        """The oracle's answer, and what the method's contract makes of it."""
        from convlaws.oracle.contracts import CONTRACTS, interval
        from convlaws.oracle.oracle import answer

        p = self.problem
        found = answer(p.spec, p.op, p.operands)
        return found, interval(found, CONTRACTS[self.row.contract(p.spec, p.op, p.dtype)], p.format)

    @property
    def _claim(self) -> Any:
        from convlaws.oracle.claim import Claim

        return Claim.of_answer(self.got, *self._allowed)

    def verify(self) -> None:
        """Judge the latest answer; the bits of one that was found right are right.

        Raises:
            WrongError: it is not within the method's contract, or has another shape or dtype.
        """
        import numpy as np

        from convlaws.oracle.claim import judge, shape_error
        from convlaws.problem.problem import RESULT, shape_of

        if self._right is not None and np.array_equal(self.got, self._right):
            return
        p = self.problem
        wrong = shape_error(self.got, shape_of(p.spec, RESULT[p.op]), p.dtype)
        if said := wrong[1] if wrong else judge(self._claim):
            raise WrongError(f"{self.row.name} has no time: {said}\n{p}")
        self._right = self.got.copy()

    def worst(self) -> float:
        """The largest |error| / slack of the latest answer: at most 1, as it was judged."""
        from convlaws.oracle.claim import ratios

        return float(ratios(self._claim).max(initial=0.0))


def row_of(name: str) -> Any:
    """The row of that name.

    Raises:
        NotImplementedError: this commit has none; the names come from a later one.
    """
    from convlaws.errors import UnknownName
    from convlaws.targets.registry import get

    try:
        return get(name)
    except UnknownName:
        raise NotImplementedError(f"there is no {name} at this commit") from None


def opened(row: Any, problem: Any, arrays: dict[str, Any], prepared: bool) -> AbstractContextManager[Callable[[], Any]]:
    """The call of a row, with no argument left."""
    from convlaws.engines.host import attribute
    from convlaws.methods import base

    os.environ.update(row.home.variables if row.home else ())  # telemetry off, before the library is imported
    code, module = attribute(row.address), sys.modules[row.address.partition(":")[0]]
    asked = (problem.spec, problem.op, arrays)
    ready = getattr(module, "READY", {}).get(row.address.partition(":")[2])
    if ready and prepared:
        return contextmanager(ready)(*asked, row.options)
    return nullcontext(partial(base.run, code, *asked) if isinstance(code, type) else partial(code, *asked, row.options))


def _laid_out(problem: Any, role: str, values: Any) -> Any:
    """`values` in memory of their own, as the problem's layout has them."""
    import numpy as np

    from convlaws.problem.layouts import place

    at = place(role, values.shape, problem.layout, batched=problem.spec.batch is not None)
    found = at.view(np.zeros(at.elements, values.dtype))
    found[...] = values
    return found
