"""A method's call on a problem's arrays, of which no answer goes unjudged: a wrong method has no time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any


class WrongError(AssertionError):
    """An answer outside of what the method's contract allows."""


class Verified:
    """One problem, laid out as it asks, and one method; the answer to it is judged at once.

    Raises:
        NotImplementedError: the method refuses the problem, in its own words; asv takes that for a skip.
        WrongError: it answers wrongly.
    """

    def __init__(self, problem: Any, row: Any):
        from convlaws.contracts import CONTRACTS, interval
        from convlaws.oracle import answer

        if reason := row.absent or row.scope.refuses(problem):
            raise NotImplementedError(reason)
        self.problem, self.row = problem, row
        self.arrays = {role: _laid_out(problem, role, a) for role, a in problem.operands.items()}
        self._compute = ExitStack().enter_context(opened(row, problem, self.arrays))  # open as long as the process
        self._first: Any = None
        self.call()
        self.answer = answer(problem.spec, problem.op, problem.operands)
        contract = CONTRACTS[row.contract(problem.spec, problem.op, problem.dtype)]
        self.allowed = interval(self.answer, contract, problem.format)
        self.verify()
        self._first = self.got.copy()

    def call(self) -> None:
        """What is timed: arrays in memory to an array in memory, in this process; the answer is kept for `verify`."""
        from convlaws.errors import Refusal

        try:
            self.got = self._compute()
        except Refusal as refusal:
            raise NotImplementedError(str(refusal)) from None

    @property
    def claim(self) -> Any:
        """That the latest answer is what the definition gives."""
        from convlaws.compare import Claim

        return Claim.of_answer(self.got, self.answer, self.allowed)

    def verify(self) -> None:
        """Judge the latest answer; the bits of the first one, which was judged, need not be judged again."""
        import numpy as np
        from convlaws.compare import judge, misfit
        from convlaws.problem import RESULT, shape_of

        if self._first is not None and np.array_equal(self.got, self._first):
            return
        p = self.problem
        if wrong := misfit(self.got, shape_of(p.spec, RESULT[p.op]), p.dtype):
            raise WrongError(f"{self.row.name} has no time: {wrong[1]}\n{p}")
        if mismatch := judge(self.claim):
            raise WrongError(f"{self.row.name} has no time: {mismatch}\n{p}")

    def worst(self) -> float:
        """The largest |error| / slack of the latest answer: at most 1, as it was judged."""
        from convlaws.compare import ratios

        return float(ratios(self.claim).max(initial=0.0))


def opened(row: Any, problem: Any, arrays: dict[str, Any]) -> AbstractContextManager[Callable[[], Any]]:
    """The call of a row, with no argument left; what a user does once, such as building a session, is done on entering."""
    from convlaws.engines.host import attribute
    from convlaws.methods import frame

    os.environ.update(row.home.variables if row.home else ())  # telemetry off, before the library is imported
    code, module = attribute(row.address), sys.modules[row.address.partition(":")[0]]
    asked = (problem.spec, problem.op, arrays)
    if ready := getattr(module, "READY", {}).get(row.address.partition(":")[2]):
        return contextmanager(ready)(*asked, row.options)
    return nullcontext(partial(frame.run, code, *asked) if isinstance(code, type) else partial(code, *asked, row.options))


def _laid_out(problem: Any, role: str, values: Any) -> Any:
    """`values` in memory of their own, as the problem's layout has them."""
    import numpy as np
    from convlaws.layouts import place

    at = place(role, values.shape, problem.layout, batched=problem.spec.batch is not None)
    found = at.view(np.zeros(at.elements, values.dtype))
    found[...] = values
    return found
