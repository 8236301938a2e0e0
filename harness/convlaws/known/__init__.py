"""Known findings: data, each pinned to the exact lines that show it.

The package has its own ledger; `check --known FILE` adds files of the same form.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from importlib import metadata, resources
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from convlaws.errors import SchemaError, UnknownName
from convlaws.known.conditions import CONDITIONS
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.records.environment import extensions
from convlaws.records.finding import name_parts
from convlaws.sandbox.settings import Setting
from convlaws.targets.isa import lacks
from convlaws.targets.registry import Method


@dataclass(frozen=True, kw_only=True)
class Known:
    """A failure that is understood, with the conditions under which it explains a new one.

    `methods` and `laws` are globs; `package` and `versions` say in which releases it occurs;
    `lines` are problems that show it. `regions` are scopes within which a failure is explained by
    it (if empty: only the lines are), if all conditions of `where` hold too; with `contracts`, only
    if there is no failure under one of those, so that a new mistake in the same region is not
    taken for the old one, and with `signatures` only failures with one of these signatures. `avoid` excludes the
    regions from drawing, for crashes that would cost more than they show. `sentence` says what is
    wrong, and which software is at fault; `thread` is the upstream report, as OWNER/REPOSITORY#NUMBER, and `searched`
    when and for what somebody searched if there is none; `processor` are the extensions, as /proc/cpuinfo spells
    them ('!name': the lack of one), without which it cannot show, `depends` other conditions of where it was seen.
    `seen` are the places where it was seen, each {"version", "cpu", "flags"}; `flaky` is "k/n" for one that showed in k of n
    fresh processes. `file` is the file of the entry, '' for the package's own.
    """

    id: str
    methods: tuple[str, ...]
    laws: tuple[str, ...] = ("*",)
    package: str = ""
    versions: str = ""
    lines: tuple[str, ...] = ()
    regions: tuple[dict, ...] = ()
    where: tuple[str, ...] = ()
    contracts: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    avoid: bool = False
    sentence: str = ""
    thread: str = ""
    searched: str = ""
    processor: tuple[str, ...] = ()
    depends: str = ""
    seen: tuple[dict, ...] = ()
    flaky: str = ""
    file: str = ""

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """The lines, parsed."""
        return tuple(Problem.parse(line) for line in self.lines)

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """The regions as scopes."""
        return tuple(Scope(**{k: _frozen(v) for k, v in region.items()}) for region in self.regions)

    def names(self, method: str, law: str | None = None) -> bool:
        """True if it names this method, at any version and level (and law)."""
        return _matches(name_parts(method)[0], self.methods) and (law is None or _matches(law, self.laws))

    def is_about(self, method: str, law: str | None = None, flags: Collection[str] | None = None) -> bool:
        """True if it names this method (and law), its versions include the method's (after '@', else the installed one) and these
        extensions of the processor (default: all that it has) include what it needs."""
        version = name_parts(method)[1] or installed(self.package)
        here = extensions() if flags is None else flags
        return self.names(method, law) and in_range(self.package, self.versions, version) and not lacks(self.processor, here)

    def covers(self, problem: Problem) -> bool:
        """True if `problem` is one of the lines or in one of the regions."""
        within = any(scope.refuses(problem) is None for scope in self.scopes)
        return problem in self.problems or (within and all(CONDITIONS[name](problem) for name in self.where))


def _frozen(value):
    return tuple(value) if isinstance(value, list) else value


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


@lru_cache(maxsize=256)
def installed(package: str) -> str:
    """The installed version, without its local part; '' if there is none."""
    try:
        return metadata.version(package).partition("+")[0] if package else ""
    except metadata.PackageNotFoundError:
        return ""


def in_range(package: str, versions: str, version: str = "") -> bool:
    """True if `version` of `package` (default: the installed one) is one of `versions`, or there is no package."""
    if not package:
        return True
    version = version or installed(package)
    return bool(version) and SpecifierSet(versions).contains(version, prereleases=True)


def _about(entry: Known, method: Method, law: str) -> bool:
    """True if it is about the method, or about the row that the user names for it (`known_as`)."""
    named = [name for name in (method.name, method.known_as) if name and entry.names(name, law)]
    return any(entry.is_about(name, law, method.extensions) for name in named)  # the extensions are read from the environment


def is_older(package: str, versions: str) -> bool:
    """True if the installed version is older than all of `versions`: an older release without the defect is not a fix."""
    version = installed(package)
    starts = [s.version.removesuffix(".*") for s in SpecifierSet(versions) if s.operator in (">=", ">", "==", "~=", "===")]
    return bool(version) and any(Version(version) < Version(start) for start in starts)


@dataclass
class Ledger:
    """The known findings of a run."""

    entries: list[Known] = field(default_factory=list)
    _avoiding: dict[tuple[str, str, str], list[Known]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def explains(self, method: Method, law: str, problem: Problem, holds: Callable[[str], bool], signature: str = "") -> str:
        """The id of the entry that explains a failure, or ''; `holds(contract)` judges the case again under another."""
        alike = (k for k in self.entries if not (k.signatures and signature) or signature in k.signatures)
        about = (k for k in alike if _about(k, method, law) and k.covers(problem))
        return next((k.id for k in about if not k.contracts or any(map(holds, k.contracts))), "")

    def avoids(self, method: Method, law: str, problem: Problem) -> str:
        """The id of the entry with `avoid` whose region contains the problem, so that it is not drawn; or ''."""
        cell = (method.name, method.known_as, law)
        if cell not in self._avoiding:  # cached: called before each case
            self._avoiding[cell] = [k for k in self.entries if k.avoid and _about(k, method, law)]
        marked = self._avoiding[cell]
        return next((k.id for k in marked if problem not in k.problems and k.covers(problem)), "")

    def check_names(self, methods: Iterable[str], laws: Iterable[str]) -> None:
        """Raise UnknownName for an entry whose globs match no method or no law: it could explain nothing."""
        methods, laws = list(methods), list(laws)
        for entry in self.entries:
            for globs, names, kind in ((entry.methods, methods, "method"), (entry.laws, laws, "law")):
                for glob in globs:
                    if not any(_matches(name, (glob,)) for name in names):
                        raise UnknownName(f"known finding {entry.id!r} names {kind} {glob!r}, which matches nothing")


def load(files: Iterable[Path] = (), *, package: bool = True) -> Ledger:
    """The ledger of the package (every JSON file of this folder, unless `package` is false) and of the user's `files`.

    Raises:
        SchemaError: a file that cannot be read, or an entry that is not well formed.
    """
    entries = []
    for file in sorted(resources.files(__package__).iterdir(), key=lambda f: f.name) if package else ():
        if file.name.endswith(".json"):
            entries += parsed(file.name, file.read_text(encoding="utf-8"))
    for path in files:
        entries += [replace(entry, file=str(path)) for entry in read_file(path)]
    return Ledger(_each_once(entries))


def ledger_of(setting: Setting) -> Ledger:
    """The known findings of a run."""
    return load(setting.known, package=setting.own_ledger)


def read_file(path: Path) -> list[Known]:
    """The entries of a user's file.

    Raises:
        SchemaError: it cannot be read, or is not well formed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError(f"cannot read the known findings {path}: {getattr(error, 'strerror', None) or error}") from None
    return parsed(str(path), text)


def _each_once(entries: list[Known]) -> list[Known]:
    places: dict[str, str] = {}
    for entry in entries:
        where = entry.file or "the package"
        if entry.id in places:
            raise SchemaError(f"known finding {entry.id!r} stands twice, in {places[entry.id]} and in {where}")
        places[entry.id] = where
    return entries


def parsed(name: str, text: str) -> list[Known]:
    try:
        told = json.loads(text)
        if not isinstance(told, list):
            raise ValueError(f"it holds a {type(told).__name__}, it should hold a list of known findings")
        entries = [_entry(entry) for entry in told]
    except (ValueError, TypeError, RecursionError) as error:
        raise SchemaError(f"{name}: {error}") from error
    return entries


def _entry(told: object) -> Known:
    if not isinstance(told, dict):
        raise ValueError(f"an entry is a {type(told).__name__}, it should be an object")
    if "file" in told:
        raise ValueError(f"{told.get('id')!r} has the field 'file', which says where an entry stands and is not written")
    entry = Known(**{k: _frozen(v) for k, v in told.items()})
    for name, form in _FORMS.items():
        if not isinstance(getattr(entry, name), form):
            raise ValueError(f"{entry.id!r} has the {name} {getattr(entry, name)!r}, it should be a {_SAID[form]}")
    _ = entry.problems, entry.scopes, SpecifierSet(entry.versions)
    if unknown := set(entry.where) - CONDITIONS.keys():
        raise ValueError(f"{entry.id!r} names the condition {unknown.pop()!r}; there are {', '.join(CONDITIONS)}")
    return entry


_FORMS: dict[str, type] = {
    **dict.fromkeys(("id", "package", "versions", "sentence", "thread", "searched", "depends", "flaky"), str),
    **dict.fromkeys(("methods", "laws", "lines", "regions", "where", "contracts", "signatures", "processor", "seen"), tuple),
    "avoid": bool,
}
_SAID = {str: "text", tuple: "list", bool: "true or false"}
