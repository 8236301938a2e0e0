"""The table of methods: every row gets all laws, all benchmarks and a line in the report."""

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
    """The distribution that pip installs for an engine: its `name`, whose version is the engine's, and the packages `beside` it.

    `beside` may contain "{version}", the version of the engine.
    `pins` are (versions, requirement): additional requirements of some versions, such as an old NumPy.
    `switches` are those that it obeys when it chooses its kernels, by their names in `targets.isa.SWITCHES`; the switch of
    its convolutions comes first.
    """

    name: str
    module: str
    beside: tuple[str, ...] = ()
    pins: tuple[tuple[str, str], ...] = ()
    switches: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """True if it can be imported here; nothing is imported to find out."""
        return _there(self.module)

    @property
    def requirement(self) -> str:
        """The requirement to pass to pip."""
        return " ".join((self.name, *(need.replace("=={version}", "") for need in self.beside)))

    def beside_of(self, version: str) -> tuple[str, ...]:
        """Return the additional requirements of a version."""
        from packaging.specifiers import SpecifierSet  # not at module level: the child of an old version has only NumPy

        pinned = (need for versions, need in self.pins if SpecifierSet(versions).contains(version, prereleases=True))
        return (*(need.replace("{version}", version) for need in self.beside), *pinned)


@lru_cache(maxsize=64)
def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a.b was asked for, and there is no a
        return False


@dataclass(frozen=True, kw_only=True)
class Method:
    """One implementation of convolutions: a row of the table.

    `address` is `module:attribute` of the code, imported only in the process that runs it.
    `contract(spec, op, dtype)` names the contract it declares. `can` holds its
    capabilities: "second" (double backward), "threads" (its library takes a number of threads), "mirrors"
    (if a law asks for it, it also computes the transposed convolution of a plain one, or the plain of a transposed),
    "varies" (the same call may give different bits, as sums by atomic additions do),
    "peer" (others are compared with it: it is cheap, supports everything, and shares no code with the other peers).
    `options` are passed to the code unchanged. `home` is the process spec, `package` what pip installs for it.
    For a row at another version than the installed one, `version` is that version; `level` is the ISA level
    that it is restricted to (see `isa`), `threads` the number its library may use unless a law sets one.
    """

    name: str
    says: str
    address: str
    scope: Scope
    contract: ContractRule
    kind: str = "method"
    can: frozenset[str] = frozenset()
    options: dict[str, Any] = field(default_factory=dict)
    declared: str = ""  # the one contract that it must keep, if its user chose one
    home: ProcessSpec = WITH_NUMPY
    package: Package | None = None
    version: str = ""
    level: str = ""
    threads: int = 1
    known_as: str = ""  # the row whose known findings also explain its failures, if its user says so

    @property
    def row(self) -> str:
        """The name of its row, without a version or a level."""
        return name_parts(self.name)[0] if self.version or self.level else self.name

    @property
    def switches(self) -> tuple[str, ...]:
        """The switches of its library (see `targets.isa.SWITCHES`), that of its convolutions first."""
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
        """Why it cannot run on this machine, in words; '' if it can."""
        if self.package and not self.version and not self.package.installed:
            return f"{self.package.name} is not installed: pip install '{self.package.requirement}'"
        return self.why_not_at(isa.level(self.level)) if self.level else ""

    def why_not_at(self, level: isa.Level) -> str:
        """Return why it does not run at a level on this machine, in words; '' if it does."""
        return isa.why_not(level, self.switches, threads="threads" in self.can)

    def at(self, version: str, python: str) -> Method:
        """Return the same row, run by the interpreter of an environment that has `version` of its package."""
        home = ProcessSpec(modules=(self.package.module,) if self.package else ()) if self.home.shared else self.home
        return replace(self, name=f"{self.name}@{version}", home=replace(home, python=python), version=version)

    def at_level(self, level: isa.Level) -> Method:
        """Return the same row, in a process that is restricted to a level."""
        held = isa.variables(level, self.switches, dict(self.home.variables))
        name, threads = f"{self.name}%{level.name}", level.threads or self.threads
        return replace(self, name=name, level=level.name, threads=threads, home=replace(self.home, variables=tuple(held.items())))

    def declares(self, contract: str) -> Method:
        """Return the same method with another contract for every op and dtype."""
        return replace(self, contract=always(contract), declared=contract)

    def contract_name(self) -> str:
        """The contract of a float32 fprop, which is shown for the row in listings."""
        return self.contract(_PLAINEST, "fprop", "float32")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object from which `from_dict` rebuilds the method in another process."""
        kept = {"contract": self.declared, "known_as": self.known_as, "level": self.level}
        if self.kind == "function":
            own = {dtype: self.contract(_PLAINEST, "fprop", dtype) for dtype in self.scope.dtypes}
            return {**self.options, **kept, "own": own, "scope": self.scope, "can": self.can}
        where = {"version": self.version, "python": self.home.python} if self.version else {}
        return {"row": self.row, **kept, **where}


_PLAINEST = ConvSpec(extent=(1,), kernel=(1,))


def always(name: str) -> ContractRule:
    """Return the rule that declares one contract for everything."""
    return lambda spec, op, dtype: name


_FOLDERS = ("methods", "engines")  # their MODULES list, by kind, the modules that fill the table; each imports NumPy at most
_MODULES = {
    kind: tuple(f"convlaws.{folder}.{name}" for name in names)
    for folder in _FOLDERS
    for kind, names in import_module(f"convlaws.{folder}").MODULES.items()
}
_MODULES["engine"] += ("convlaws.targets.plugins",)
_MODULES |= {"mutant": ("convlaws.mutants",), "healthy": ("convlaws.mutants",)}
ON_GPU = ("cuda", "cudnn")  # the kinds whose rows need a CUDA device
ENGINES = ("engine", "compiled", *ON_GPU)  # the kinds that run third-party libraries
KINDS = tuple(_MODULES)
_ORDER = {module: place for place, module in enumerate(dict.fromkeys(chain.from_iterable(_MODULES.values())))}
_TABLE: dict[str, Method] = {}


def register(row: Method) -> Method:
    """Add a row; raises for a duplicate name, naming the module that has it."""
    if row.name in _TABLE and _TABLE[row.name].address != row.address:
        raise UnknownName(f"method {row.name!r} is registered twice; {_TABLE[row.name].address} has it already")
    _TABLE[row.name] = row
    return row


def method(
    name: str, *, scope: Scope | None = None, contract: str = "plain", can: Iterable[str] = (), home: ProcessSpec = WITH_NUMPY
):
    """Register a class of three maps (see `methods.base.Maps`) under `name`; `home` is its process spec."""

    def add(maps: type) -> type:
        says = (maps.__doc__ or "").strip().splitlines()[0]
        address = f"{maps.__module__}:{maps.__qualname__}"
        rule, able = always(contract), frozenset(can)
        register(Method(name=name, says=says, address=address, scope=scope or Scope(), contract=rule, can=able, home=home))
        return maps

    return add


def rows(*kinds: str, absent: bool = False) -> list[Method]:
    """Return the rows of these kinds (default: methods and engines) in the order of the modules above, not of their import.

    Engines whose package is not installed are included only if `absent` is true.
    """
    kinds = kinds or ("method", "engine")
    for kind in kinds:
        for module in _MODULES[kind]:
            import_module(module)
    methods = [row for row in _TABLE.values() if row.kind in kinds and (absent or not row.absent)]
    return sorted(methods, key=lambda row: _ORDER.get(row.address.partition(":")[0], len(_ORDER)))


def get(name: str) -> Method:
    """Return the row of that name.

    Raises:
        UnknownName: there is none; the message has the nearest names.
    """
    return _TABLE.get(name) or find([name])[0]


def _is_open(row: Method, glob: str) -> bool:
    """True if a glob may select a row that runs here; kinds other than method and engine need a glob with their prefix."""
    return not row.absent and (row.kind in ("method", "engine") or glob.startswith(row.kind))


def find(patterns: Iterable[str]) -> list[Method]:
    """Return the rows that names or globs select, each once.

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
    """Return the target of a method; that of a user's function is its options. It is one object for each method."""
    kept = vars(method)
    if "_target" not in kept:
        target = dict(method.options) if method.kind == "function" else {"row": method.row}
        kept["_target"] = {**target, "home": method.home.to_target()}
    return kept["_target"]
