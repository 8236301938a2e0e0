"""Registration of mutants: a function (spec, op, arrays) that alters the right answer becomes a row of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

import numpy as np

from convlaws.methods.base import run
from convlaws.methods.unfold import Im2col
from convlaws.mutants.triggers import TRIGGERS
from convlaws.problem.request import BILINEAR, SECOND
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import WITH_NUMPY, WITH_TORCH, ProcessSpec
from convlaws.targets.registry import Method, always, register

Arrays = Mapping[str, np.ndarray]
Wrong = Callable[[ConvSpec, str, Arrays, Mapping[str, Any]], Any]
SMALL = Scope(macs=50_000)
STATE: dict[str, Any] = {}  # state that mutants keep from one call to the next
DEFECTS = ("indexing", "precision", "special values", "memory", "contract", "process", "threshold")
EASY, MEDIUM = 2, 4  # the largest weight of each difficulty


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A mutant's mistake, and the conditions under which it shows.

    `ops` are those that it gets wrong, `needs` the triggers (words of TRIGGERS) that must all hold; `thread` is a
    public report of such a bug ("owner/repo#number" or an address), `defect` one of DEFECTS. `like` names the
    mutant of which this one is a clone: the two count as one.
    """

    name: str
    says: str
    ops: tuple[str, ...]
    defect: str
    needs: tuple[str, ...]
    thread: str
    like: str = ""

    @property
    def weight(self) -> int:
        """The sum of its triggers' weights, plus one if only gradients are wrong."""
        gradient = bool(self.ops) and "fprop" not in self.ops
        return sum(TRIGGERS[word].weight for word in self.needs) + gradient

    @property
    def difficulty(self) -> str:
        """Easy, medium or hard to find, by its weight alone, without any search."""
        return "easy" if self.weight <= EASY else "medium" if self.weight <= MEDIUM else "hard"


_MISTAKES: dict[str, Mutant] = {}


def all_mutants() -> list[Mutant]:
    """All mutants, in the order of their registration."""
    return list(_MISTAKES.values())


def right(spec: ConvSpec, op: str, arrays: Arrays) -> np.ndarray:
    """The right answer, which most mutants alter; also of the derivatives of both gradients (`problem.request.SECOND`)."""
    return _second(first_order, spec, op, arrays) if op in SECOND else first_order(spec, op, arrays)


def first_order(spec: ConvSpec, op: str, arrays: Arrays) -> np.ndarray:
    """The right answer to one of the four ops."""
    return run(Im2col, spec, op, dict(arrays))


def _second(compute: Callable[[ConvSpec, str, Arrays], np.ndarray], spec: ConvSpec, op: str, a: Arrays) -> np.ndarray:
    """A derivative of <dgrad(gy, w), v> + <wgrad(x, gy), u>, computed as convolutions by `compute`."""
    bare = replace(spec, bias=False)
    parts = (compute(bare, first, {role: a[name] for role, name in given.items()}) for first, given in BILINEAR[op])
    return reduce(np.add, parts)


def mutant(
    *ops: str,
    defect: str,
    thread: str,
    needs: tuple[str, ...] = (),
    like: str = "",
    scope: Scope = SMALL,
    can: tuple[str, ...] = (),
    home: ProcessSpec | None = None,
):
    """Register a function as a mutant that is wrong in `ops` (all, if none are named) where all of `needs` hold.

    The function gets the spec, the op and its own dict of operands, and is called only where they hold: elsewhere the
    mutant gives the right answer. Its docstring's first line says the mistake. `can` holds what laws need of a
    method: "threads" (torch's count), "second" (see `Method`).

    Raises:
        KeyError: a word of `needs` is no trigger.
    """
    conditions = [TRIGGERS[word].holds for word in needs]

    def applies(spec: ConvSpec, op: str, arrays: Arrays) -> bool:
        return (not ops or op in ops) and all(holds(spec, op, arrays) for holds in conditions)

    def add(function: Callable) -> Wrong:
        row = _row("mutant", function, scope, can, home or (WITH_TORCH if "threads" in can else WITH_NUMPY))
        name = row.name.removeprefix("mutant-")
        _MISTAKES[name] = Mutant(name=name, says=row.says, ops=ops, defect=defect, needs=needs, thread=thread, like=like)
        return _adapter(function, applies)

    return add


def healthy(scope: Scope = SMALL):
    """Register a function (spec, op, arrays) as a right method with another order of summation; it supports double backward."""

    def add(function: Callable) -> Wrong:
        _row("healthy", function, scope, ("second",), WITH_NUMPY)

        def adapter(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> Any:
            compute = partial(_second, function) if op in SECOND else function
            return compute(spec, op, dict(arrays))

        return adapter

    return add


def _row(kind: str, function: Callable, scope: Scope, can: tuple[str, ...], home: ProcessSpec) -> Method:
    name = f"{kind}-{function.__name__.replace('_', '-')}"
    says = (function.__doc__ or "").strip().splitlines()[0]
    address = f"{function.__module__}:{function.__name__}"
    able, rule = frozenset(can), always("plain")
    return register(Method(name=name, says=says, address=address, scope=scope, contract=rule, kind=kind, can=able, home=home))


def _adapter(function: Callable, applies: Callable[[ConvSpec, str, Arrays], bool]) -> Wrong:
    def adapter(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> Any:
        if not applies(spec, op, arrays):
            return right(spec, op, arrays)
        return function(spec, op, dict(arrays))

    return adapter
