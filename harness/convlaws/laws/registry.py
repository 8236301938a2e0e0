"""The table of laws: equations that every convolution keeps."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from convlaws.errors import UnknownName
from convlaws.oracle.claim import Approx, Claim
from convlaws.oracle.contracts import Interval
from convlaws.oracle.oracle import Answer
from convlaws.problem.problem import Problem
from convlaws.problem.request import Reply
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec


class Ask(Protocol):
    """How a law asks the one method that it is given; it cannot pick another.

    Every call runs the method (in its sandbox). An output of a wrong shape or dtype, an
    exception or a crash ends the case there: the law never sees it.
    `how` may hold layout, shift, guard, threads, dtype: see `Request`; the layout
    is the problem's own unless given.
    """

    peers: tuple[str, ...]

    @property
    def spreads(self) -> bool:
        """Whether an Inf or NaN may reach results outside of its receptive field."""
        ...

    def __call__(self, spec: ConvSpec, op: str, operands: Mapping[str, np.ndarray], **how: Any) -> Approx:
        """The method's result with its bound: how far its contract lets it be from the exact one."""
        ...

    def reply(self, spec: ConvSpec, op: str, operands: Mapping[str, np.ndarray], **how: Any) -> Reply:
        """The same with everything that the sandbox saw; the output is in its own dtype."""
        ...

    def definition(self, spec: ConvSpec, op: str, operands: Mapping[str, np.ndarray]) -> tuple[Answer, Interval]:
        """What the oracle gives, and what the method's contract makes of it."""
        ...

    def peer(self, name: str, spec: ConvSpec, op: str, operands: Mapping[str, np.ndarray]) -> Approx | None:
        """The result of another method, one of `peers`; None if it refuses."""
        ...


LawFunction = Callable[[Problem, Ask], Claim | list[Claim]]


@dataclass(frozen=True)
class Law:
    """An equation, as a function of a problem and of a way to ask.

    `says` is the equation in a sentence (the docstring's first line). `scope` holds the problems
    that it is about, `needs` a capability that a method must have, `unless` one that excuses it, `weight` its share of a budget.
    `specific` orders the report: of several broken laws the most specific names the mistake best.
    `fresh`: each of its calls must be run, even if another law has the answer already.
    """

    name: str
    says: str
    claims: LawFunction
    scope: Scope
    needs: str = ""
    weight: float = 1.0
    specific: int = 1
    fresh: bool = False
    unless: str = ""

    @property
    def family(self) -> str:
        """The room it lives in: algebra, symmetry, ..."""
        return self.claims.__module__.rpartition(".")[2]


_MODULES = (
    "convlaws.laws.special",
    "convlaws.laws.agreement",
    "convlaws.laws.algebra",
    "convlaws.laws.symmetry",
    "convlaws.laws.structure",
    "convlaws.laws.beyond",
    "convlaws.laws.duality",
    "convlaws.laws.composition",
    "convlaws.laws.repetition",
)
_ORDER = {module: place for place, module in enumerate(_MODULES)}
_TABLE: dict[str, Law] = {}


def law(
    scope: Scope | None = None,
    *,
    needs: str = "",
    unless: str = "",
    weight: float = 1.0,
    specific: int = 1,
    fresh: bool = False,
):
    """Register a function (problem, ask) -> Claim or Claims; its name with dashes is the law's."""

    def add(function: LawFunction) -> LawFunction:
        name = function.__name__.replace("_", "-")
        if name in _TABLE and _TABLE[name].claims.__module__ != function.__module__:
            raise UnknownName(f"law {name!r} is registered twice; {_TABLE[name].claims.__module__} has it already")
        says = (function.__doc__ or "").strip().splitlines()[0]
        _TABLE[name] = Law(name, says, function, scope or Scope(), needs, weight, specific, fresh, unless)
        return function

    return add


def laws() -> list[Law]:
    """Every law, room by room, those of others last: not as they were imported, or a seed would depend on it."""
    for module in _MODULES:
        import_module(module)
    return sorted(_TABLE.values(), key=lambda law: _ORDER.get(law.claims.__module__, len(_MODULES)))


def find(patterns: Iterable[str]) -> list[Law]:
    """The laws that names or globs select.

    Raises:
        UnknownName: a pattern selects nothing; the message has the nearest names.
    """
    table = {law.name: law for law in laws()}
    found: dict[str, Law] = {}
    for pattern in patterns:
        hits = [n for n in table if fnmatchcase(n, pattern)]
        if not hits:
            near = difflib.get_close_matches(pattern, table, n=3, cutoff=0.3) or [n for n in table if pattern in n][:3]
            hint = f"; near: {', '.join(near)}" if near else ""
            raise UnknownName(f"no law {pattern!r}{hint}; 'convlaws list laws' shows all")
        found |= {n: table[n] for n in hits}
    return list(found.values())
