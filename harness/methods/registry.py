"""The table of methods: whoever adds a row gets all laws, all benchmarks and a line in the report."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

from convlaws.errors import UnknownName
from convlaws.scope import Scope
from convlaws.spec import ConvSpec

ContractRule = Callable[[ConvSpec, str, str], str]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to compute a convolution.

    `address` is `module:attribute` of the code, imported only in the process that runs it.
    `contract(spec, op, dtype)` names the contract it declares. `can` holds its
    capabilities: "second" (double backward), "threads" (its library takes a number of threads), "mirrors"
    (where a law asks for it, it does the transposed convolution of a plain one too, or the plain of a transposed),
    "peer" (others are compared with it: it is cheap, does everything, and shares no code with the other peers).
    `options` go to the code as they are.
    """

    name: str
    says: str
    address: str
    scope: Scope
    contract: ContractRule
    kind: str = "method"
    can: frozenset[str] = frozenset()
    options: dict[str, Any] = field(default_factory=dict)
    declared: str = ""  # the one contract that it is held to, if its user chose that

    def declares(self, contract: str) -> Method:
        """The same method, held to another contract for every op and dtype."""
        return replace(self, contract=always(contract), declared=contract)

    def contract_name(self) -> str:
        """The contract of a float32 fprop, which stands for the row in a listing."""
        return self.contract(_PLAINEST, "fprop", "float32")

    def passport(self) -> dict[str, Any]:
        """What `admit` makes the method from again in another process."""
        if self.kind == "function":
            own = {dtype: self.contract(_PLAINEST, "fprop", dtype) for dtype in self.scope.dtypes}
            return {**self.options, "contract": self.declared, "own": own, "scope": self.scope, "can": self.can}
        return {"row": self.name, "contract": self.declared}


_PLAINEST = ConvSpec(extent=(1,), kernel=(1,))


def always(name: str) -> ContractRule:
    """The rule that declares one contract for everything."""
    return lambda spec, op, dtype: name


# the modules whose import fills the table; each imports NumPy at most
_ROOMS = {
    "method": (
        "convlaws.methods.loop",
        "convlaws.methods.unfold",
        "convlaws.methods.toeplitz",
        "convlaws.methods.sparse",
        "convlaws.methods.transposed",
        "convlaws.methods.fft",
        "convlaws.methods.circulant",
        "convlaws.methods.winograd",
    ),
    "engine": ("convlaws.engines.torch_cpu", "convlaws.engines.scipy_signal", "convlaws.engines.third_party"),
    "cuda": ("convlaws.engines.torch_cuda",),
    "mutant": ("convlaws.mutants",),
    "healthy": ("convlaws.mutants",),
}
KINDS = tuple(_ROOMS)
_TABLE: dict[str, Method] = {}


def register(row: Method) -> Method:
    """Add a row; a name twice is an error that names the module which has it."""
    if row.name in _TABLE and _TABLE[row.name].address != row.address:
        raise UnknownName(f"method {row.name!r} is registered twice; {_TABLE[row.name].address} has it already")
    _TABLE[row.name] = row
    return row


def method(name: str, *, scope: Scope | None = None, contract: str = "plain", can: Iterable[str] = ()):
    """Register a class of three maps (see `methods.frame.Maps`) under `name`."""

    def add(maps: type) -> type:
        says = (maps.__doc__ or "").strip().splitlines()[0]
        address = f"{maps.__module__}:{maps.__qualname__}"
        rule, able = always(contract), frozenset(can)
        register(Method(name=name, says=says, address=address, scope=scope or Scope(), contract=rule, can=able))
        return maps

    return add


def rows(*kinds: str) -> list[Method]:
    """All rows of these kinds (default: methods and engines), in the order of registration."""
    kinds = kinds or ("method", "engine")
    for kind in kinds:
        for room in _ROOMS[kind]:
            import_module(room)
    return [row for row in _TABLE.values() if row.kind in kinds]


def get(name: str) -> Method:
    """The row of that name.

    Raises:
        UnknownName: there is none; the message has the nearest names.
    """
    return find([name])[0]


def find(patterns: Iterable[str]) -> list[Method]:
    """The rows that names or globs select, each once.

    Raises:
        UnknownName: a pattern selects nothing.
    """
    table = {row.name: row for row in rows(*_ROOMS)}
    found: dict[str, Method] = {}
    for pattern in patterns:
        # '*' means what is meant to be right and runs anywhere: the other kinds are asked for by their first word
        open_to = [n for n, row in table.items() if row.kind in ("method", "engine") or pattern.startswith(row.kind)]
        hits = [n for n in open_to if fnmatchcase(n, pattern)]
        if not hits:
            near = difflib.get_close_matches(pattern, table, n=3, cutoff=0.4)
            hint = f"; near: {', '.join(near)}" if near else ""
            raise UnknownName(f"no method or engine {pattern!r}{hint}; 'convlaws list methods' shows all")
        found |= {n: table[n] for n in hits}
    return list(found.values())
