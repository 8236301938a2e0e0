"""The table of methods: whoever adds a row gets all laws, all benchmarks and a line in the report."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from typing import Any

from convlaws.errors import UnknownName
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.records import environment
from convlaws.records.finding import name_parts
from convlaws.targets import isa
from convlaws.targets.process_spec import WITH_NUMPY, ProcessSpec

ContractRule = Callable[[ConvSpec, str, str], str]


@dataclass(frozen=True, kw_only=True)
class Package:
    """What pip installs for an engine: the distribution `name`, whose versions are the engine's, and what it needs `beside`.

    What is `beside` may name "{version}", that of the engine.
    `pins` are (versions, requirement): what versions of some age need on top, such as an old NumPy.
    `switches` are those that it obeys when it chooses its kernels, by their names in `targets.isa.SWITCHES`; the one of its
    convolutions comes first.
    """

    name: str
    module: str
    beside: tuple[str, ...] = ()
    pins: tuple[tuple[str, str], ...] = ()
    switches: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """Whether it can be imported here; nothing is imported to find out."""
        return _there(self.module)

    @property
    def requirement(self) -> str:
        """What a user asks pip for."""
        return " ".join((self.name, *(need.replace("=={version}", "") for need in self.beside)))

    def beside_of(self, version: str) -> tuple[str, ...]:
        """What a version needs beside itself."""
        from packaging.specifiers import SpecifierSet  # not at the top: the child of an old version has only NumPy

        pinned = (need for versions, need in self.pins if SpecifierSet(versions).contains(version, prereleases=True))
        return (*(need.replace("{version}", version) for need in self.beside), *pinned)


@lru_cache(maxsize=64)
def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a.b, there is no a
        return False


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to compute a convolution.

    `address` is `module:attribute` of the code, imported only in the process that runs it.
    `contract(spec, op, dtype)` names the contract it declares. `can` holds its
    capabilities: "second" (double backward), "threads" (its library takes a number of threads), "mirrors"
    (where a law asks for it, it does the transposed convolution of a plain one too, or the plain of a transposed),
    "varies" (the same call may give other bits, as sums by atomic additions do),
    "peer" (others are compared with it: it is cheap, does everything, and shares no code with the other peers).
    `options` go to the code as they are. `home` is the process it needs, `package` what pip installs for it.
    Of a row at another version than the installed one, `version` says which; `level` is the ISA level
    that it is held to (see `isa`), `threads` how many its library may use where a law does not say.
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
    home: ProcessSpec = WITH_NUMPY
    package: Package | None = None
    version: str = ""
    level: str = ""
    threads: int = 1
    known_as: str = ""  # the row whose known findings explain its failures too, if its user says so

    @property
    def row(self) -> str:
        """The name of the row that it is, without a version or a level."""
        return name_parts(self.name)[0] if self.version or self.level else self.name

    @property
    def switches(self) -> tuple[str, ...]:
        """What holds its library back (see `targets.isa.SWITCHES`), the one of its convolutions first."""
        if self.package:
            return self.package.switches
        return isa.TORCH if self.kind == "function" and self.options["arrays"] == "torch" else isa.OURS

    @property
    def extensions(self) -> frozenset[str]:
        """The processor's vector extensions that are visible to it."""
        switch = next(iter(self.switches), "")
        variables = {**os.environ, **dict(self.home.variables)}
        here = environment.extensions()
        return isa.visible(here, switch, variables) if switch else frozenset(here)

    @property
    def absent(self) -> str:
        """Why it cannot be run here at all, in words; '' if what it needs is there."""
        if self.package and not self.version and not self.package.installed:
            return f"{self.package.name} is not installed: pip install '{self.package.requirement}'"
        return self.why_not_at(isa.level(self.level)) if self.level else ""

    def why_not_at(self, level: isa.Level) -> str:
        """Why it does not run at a level here, in words; '' if it does."""
        return isa.why_not(level, self.switches, threads="threads" in self.can)

    def at(self, version: str, python: str) -> Method:
        """The same row, run by the interpreter of an environment that has `version` of its package."""
        home = ProcessSpec(modules=(self.package.module,) if self.package else ()) if self.home.shared else self.home
        return replace(self, name=f"{self.name}@{version}", home=replace(home, python=python), version=version)

    def at_level(self, level: isa.Level) -> Method:
        """The same row, in a process that is held to a level."""
        held = isa.variables(level, self.switches, dict(self.home.variables))
        name, threads = f"{self.name}%{level.name}", level.threads or self.threads
        return replace(self, name=name, level=level.name, threads=threads, home=replace(self.home, variables=tuple(held.items())))

    def declares(self, contract: str) -> Method:
        """The same method, held to another contract for every op and dtype."""
        return replace(self, contract=always(contract), declared=contract)

    def contract_name(self) -> str:
        """The contract of a float32 fprop, which stands for the row in a listing."""
        return self.contract(_PLAINEST, "fprop", "float32")

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` makes the method from again in another process."""
        kept = {"contract": self.declared, "known_as": self.known_as, "level": self.level}
        if self.kind == "function":
            own = {dtype: self.contract(_PLAINEST, "fprop", dtype) for dtype in self.scope.dtypes}
            return {**self.options, **kept, "own": own, "scope": self.scope, "can": self.can}
        where = {"version": self.version, "python": self.home.python} if self.version else {}
        return {"row": self.row, **kept, **where}


_PLAINEST = ConvSpec(extent=(1,), kernel=(1,))


def always(name: str) -> ContractRule:
    """The rule that declares one contract for everything."""
    return lambda spec, op, dtype: name


_FOLDERS = ("methods", "engines")  # that say in MODULES, by kind, whose import fills the table; each imports NumPy at most
_MODULES = {
    kind: tuple(f"convlaws.{folder}.{name}" for name in names)
    for folder in _FOLDERS
    for kind, names in import_module(f"convlaws.{folder}").MODULES.items()
}
_MODULES["engine"] += ("convlaws.targets.plugins",)
_MODULES |= {"mutant": ("convlaws.mutants",), "healthy": ("convlaws.mutants",)}
ON_GPU = ("cuda", "cudnn")  # the kinds whose rows need a CUDA device
ENGINES = ("engine", "compiled", *ON_GPU)  # the kinds that are other people's
KINDS = tuple(_MODULES)
_ORDER = {module: place for place, module in enumerate(dict.fromkeys(chain.from_iterable(_MODULES.values())))}
_TABLE: dict[str, Method] = {}


def register(row: Method) -> Method:
    """Add a row; a name twice is an error that names the module which has it."""
    if row.name in _TABLE and _TABLE[row.name].address != row.address:
        raise UnknownName(f"method {row.name!r} is registered twice; {_TABLE[row.name].address} has it already")
    _TABLE[row.name] = row
    return row


def method(
    name: str, *, scope: Scope | None = None, contract: str = "plain", can: Iterable[str] = (), home: ProcessSpec = WITH_NUMPY
):
    """Register a class of three maps (see `methods.base.Maps`) under `name`; `home` has what it computes with."""

    def add(maps: type) -> type:
        says = (maps.__doc__ or "").strip().splitlines()[0]
        address = f"{maps.__module__}:{maps.__qualname__}"
        rule, able = always(contract), frozenset(can)
        register(Method(name=name, says=says, address=address, scope=scope or Scope(), contract=rule, can=able, home=home))
        return maps

    return add


def rows(*kinds: str, absent: bool = False) -> list[Method]:
    """The rows of these kinds (default: methods and engines), module by module in the order above, whatever was imported first.

    Engines whose package is not installed are among them only if `absent` is true.
    """
    kinds = kinds or ("method", "engine")
    for kind in kinds:
        for module in _MODULES[kind]:
            import_module(module)
    found = [row for row in _TABLE.values() if row.kind in kinds and (absent or not row.absent)]
    return sorted(found, key=lambda row: _ORDER.get(row.address.partition(":")[0], len(_ORDER)))


def get(name: str) -> Method:
    """The row of that name.

    Raises:
        UnknownName: there is none; the message has the nearest names.
    """
    return _TABLE.get(name) or find([name])[0]


def _is_open(row: Method, glob: str) -> bool:
    """Whether a glob may select a row that runs here: '*' means what is meant to be right, others are asked for by their kind."""
    return not row.absent and (row.kind in ("method", "engine") or glob.startswith(row.kind))


def find(patterns: Iterable[str]) -> list[Method]:
    """The rows that names or globs select, each once.

    Raises:
        UnknownName: a pattern selects nothing.
    """
    table = {row.name: row for row in rows(*_MODULES, absent=True)}
    found: dict[str, Method] = {}
    for pattern in patterns:
        open_to = [n for n, row in table.items() if n == pattern or _is_open(row, pattern)]
        hits = [n for n in open_to if fnmatchcase(n, pattern)]
        hits = hits or [n for n, row in table.items() if row.absent and fnmatchcase(n, pattern)]
        if not hits:
            near = difflib.get_close_matches(pattern, table, n=3, cutoff=0.4)
            hint = f"; near: {', '.join(near)}" if near else ""
            raise UnknownName(f"no method or engine {pattern!r}{hint}; 'convlaws list methods' shows all")
        found |= {n: table[n] for n in hits}
    return list(found.values())


def target_of(method: Method) -> dict[str, Any]:
    """The target of a method; that of a user's function is its options."""
    target = dict(method.options) if method.kind == "function" else {"row": method.row}
    return {**target, "home": method.home.to_target()}
