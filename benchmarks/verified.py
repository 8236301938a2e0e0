"""Calls of a method whose answers are all judged, so that a wrong method gets no time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cached_property, partial
from typing import Any


class WrongError(AssertionError):
    """An answer that the method's contract does not allow."""


class Verified:
    """One method on one problem, with arrays in the problem's layout.

    `call` is timed, `verify` judges its latest answer. With `prepared`, work that a user does once, such as
    building a session, is done in the constructor, if the engine separates it from the call.

    Raises:
        NotImplementedError: the method refuses the problem; the message is its reason, and asv skips the benchmark.
    """

    def __init__(self, problem: Any, row: Any, *, prepared: bool = True):
        if reason := row.absent or row.scope.refuses(problem):
            raise NotImplementedError(reason)
        self.problem, self.row = problem, row
        arrays = {role: _laid_out(problem, role, a) for role, a in problem.operands.items()}
        self._compute = ExitStack().enter_context(opened(row, problem, arrays, prepared))  # open as long as the process
        self._right: Any = None

    def call(self) -> None:
        """Compute the answer from arrays in memory to an array in memory, in this process."""
        from convlaws.errors import Refusal

        try:
            self.got = self._compute()
        except Refusal as refusal:
            raise NotImplementedError(str(refusal)) from None

    @cached_property
    def _allowed(self) -> tuple[Any, Any]:
        """The oracle's answer, and the interval that the method's contract allows."""
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
        """Judge the latest answer; one with the same bits as an answer that was right is right.

        Raises:
            WrongError: it is not within the method's contract, or has a wrong shape or dtype.
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
        """Return the largest |error| / slack of the latest answer: at most 1 if `verify` accepted it."""
        from convlaws.oracle.claim import ratios

        return float(ratios(self._claim).max(initial=0.0))


def row_of(name: str) -> Any:
    """Return the row of that name.

    Raises:
        NotImplementedError: this commit has no such row; the names come from a later commit.
    """
    from convlaws.errors import UnknownName
    from convlaws.targets.registry import get

    try:
        return get(name)
    except UnknownName:
        raise NotImplementedError(f"there is no {name} at this commit") from None


def opened(row: Any, problem: Any, arrays: dict[str, Any], prepared: bool) -> AbstractContextManager[Callable[[], Any]]:
    """Return a context manager of the row's call, as a function without arguments."""
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
    """Return a copy of `values` in memory of its own, in the problem's layout."""
    import numpy as np

    from convlaws.problem.layouts import place

    at = place(role, values.shape, problem.layout, batched=problem.spec.batch is not None)
    found = at.view(np.zeros(at.elements, values.dtype))
    found[...] = values
    return found
