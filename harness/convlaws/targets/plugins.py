"""Engines of other installed packages: rows in a JSON file of the package, read without importing it.

A package names the file as an entry point, `package:file` within the folder of its top-level package:

    [project.entry-points."convlaws.engines"]
    acme = "acme_conv:convlaws.json"

    [{"name": "acme-conv2d", "says": "ACME's direct convolution", "function": "acme_conv:conv2d",
      "signature": "conv2d", "arrays": "numpy", "scope": {"dtypes": ["float32"]}, "contract": "plain"}]

`function` is called as a user's function is; an `adapter` f(spec, op, arrays, options) is called as our engines are.
The other keys are those of a `Declaration`. `"switches": ["onednn"]` names the switches of its library (see
`targets.isa.SWITCHES`), so that it runs at ISA levels too. A row with an error is left out, with the reason in `left_out`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from convlaws.errors import HarnessError, UsageError
from convlaws.targets import registry
from convlaws.targets.declaration import contract_rule, from_json
from convlaws.targets.function import user_method
from convlaws.targets.isa import SWITCHES
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import Method, Package

GROUP = "convlaws.engines"
OWN = ("name", "says", "function", "adapter", "options", "switches")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
left_out: list[str] = []


def _load() -> None:
    """Register all valid rows."""
    taken = {row.name: "convlaws" for row in registry.rows(*registry.KINDS, absent=True)}  # the first row with a name wins
    for point in sorted(set(entry_points(group=GROUP)), key=lambda p: (p.name, p.value)):
        try:
            rows = _rows(_file(point))
        except (HarnessError, OSError, ValueError, ImportError) as error:
            left_out.append(f"{_where(point)}: {error}")
            continue
        for number, row in enumerate(rows, 1):
            try:
                method = _placed(_method(row), point, _switches(row))
                if owner := taken.get(method.name):
                    raise UsageError(f"{owner} has a row {method.name!r} already")
                taken[registry.register(method).name] = _whose(point)
            except HarnessError as error:
                left_out.append(f"{_where(point)}, row {number}: {error}")


def _switches(row: Mapping[str, Any]) -> tuple[str, ...]:
    told = row.get("switches", [])
    if not isinstance(told, list) or not all(name in SWITCHES for name in told):
        raise UsageError(f"switches is {told!r}, it should be a list of {', '.join(SWITCHES)}")
    return tuple(told)


def _placed(method: Method, point: EntryPoint, switches: tuple[str, ...]) -> Method:
    """Return the method in its package's own process spec, runnable at other versions of the package too."""
    home = ProcessSpec(variables=(("CONVLAWS_ENGINE", point.value),))
    module = point.value.partition(":")[0]
    package = Package(name=point.dist.name, module=module, switches=switches) if point.dist else None
    return replace(method, home=home, package=package)


def _whose(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "a package without a name"


def _where(point: EntryPoint) -> str:
    return f"left out: an engine of {_whose(point)} ({point.name} = {point.value})"


def _file(point: EntryPoint) -> Path:
    """Return the file that an entry point names; finding a top-level package imports nothing."""
    package, _, file = point.value.partition(":")
    if not file or "." in package:
        raise UsageError("it should name a top-level package and a file in its folder, as package:engines.json")
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder, file)).is_file():
            return path
    raise UsageError(f"there is no {file} in the package {package}" if spec else f"there is no package {package}")


def _rows(path: Path) -> list[Any]:
    rows = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list):
        raise UsageError(f"{path} holds a {type(rows).__name__}, it should hold a list of rows")
    return rows


def _method(row: Any) -> Method:
    """Return the method of a row.

    Raises:
        UsageError, UnknownName: the row is invalid.
    """
    if not isinstance(row, Mapping):
        raise UsageError(f"it is a {type(row).__name__}, it should be an object")
    name, says = (_line(row, part) for part in ("name", "says"))
    if not NAME.fullmatch(name):
        raise UsageError(f"the name {name!r} should be of lower-case letters, digits, '.', '_' and '-'")
    if ("function" in row) == ("adapter" in row):
        raise UsageError(f"{name} should have either a function or an adapter")
    method = (_called if "function" in row else _adapted)(row)
    return replace(method, name=name, says=says, kind="engine", address="convlaws.engines.user:third_party")


def _called(row: Mapping[str, Any]) -> Method:
    if "options" in row:
        raise UsageError("options are for an adapter")
    said = from_json(_declaration(row))
    return user_method(
        _line(row, "function"), said.signature or "conv2d", said.arrays or "torch", said.contract, said.scope, said.can
    )


def _adapted(row: Mapping[str, Any]) -> Method:
    said, options = from_json(_declaration(row)), row.get("options", {})
    if said.signature or said.arrays:
        raise UsageError("signature and arrays are for a function")
    if not isinstance(options, dict):
        raise UsageError(f"options is {options!r}, it should be an object")
    told = {"adapter": _line(row, "adapter"), "options": options}
    rule, able = contract_rule(said.contract), frozenset(said.can)
    return Method(name="", says="", address="", scope=said.scope, contract=rule, can=able, options=told)


def _declaration(row: Mapping[str, Any]) -> dict[str, Any]:
    return {part: value for part, value in row.items() if part not in OWN}


def _line(row: Mapping[str, Any], part: str) -> str:
    value = row.get(part)
    if not isinstance(value, str) or not value or "\n" in value:
        raise UsageError(f"{part} is {value!r}, it should be a line of text")
    if part in ("function", "adapter") and not re.fullmatch(r"[\w.]+:[\w.]+", value):
        raise UsageError(f"{part} {value!r} should read package.module:name")
    return value


_load()
