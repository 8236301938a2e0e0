"""Resolve what a user names into methods: a registered name, a glob, or the address of a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from convlaws.errors import UsageError
from convlaws.oracle.contracts import contract as contract_named
from convlaws.records.finding import name_parts
from convlaws.targets import isa
from convlaws.targets.function import user_method
from convlaws.targets.inspection import declared
from convlaws.targets.registry import Method, find, get
from convlaws.targets.venv import Environment

SIGNATURES = tuple(f"{stem}{n}d" for stem in ("conv", "conv_transpose") for n in (1, 2, 3))


@dataclass(frozen=True, kw_only=True)
class Calling:
    """The call of a user's function ('' = as it declares, else conv2d with torch's arrays), the contract that every
    target must keep ('' = its own), and the row whose known findings also explain their failures ('' = none).

    `isa` are the levels at which each target is run (none: unrestricted; 'all': all that it can run at on this machine).
    `allow_large` allows an environment to download gigabytes, `say` is called when one is created.
    """

    signature: str = ""
    arrays: str = ""
    contract: str = ""
    known_as: str = ""
    isa: tuple[str, ...] = ()
    allow_large: bool = False
    say: Callable[[str], None] = lambda text: None


def resolve(targets: Iterable[str], calling: Calling) -> list[Method]:
    """Return the methods that `targets` name, each once.

    Raises:
        UnknownName: a name that is in no table, or an unknown contract.
        UsageError: an invalid function address, a file without a function, or nothing that is installed here.
    """
    targets = list(targets)
    if lone := next((t for t in targets if t.endswith(".py")), None):
        raise UsageError(f"{lone!r} is a file: name a function in it, {lone}:FUNCTION")
    if calling.contract:
        contract_named(calling.contract)
    methods: dict[str, Method] = {}
    for target in targets:
        for method in _meant(target, calling):
            methods[method.name] = method.declares(calling.contract) if calling.contract else method
    missing = dict.fromkeys(method.absent for method in methods.values())
    if missing and all(missing):
        raise UsageError("; ".join(missing))  # without any installed target there is nothing to search
    if not calling.known_as:
        return list(methods.values())
    row = get(calling.known_as).name
    return [replace(method, known_as=row) for method in methods.values()]


def _meant(target: str, calling: Calling) -> list[Method]:
    row, version, level = name_parts(target)
    if target.endswith(("@", "%")):
        raise UsageError(f"{target!r} ends where a version or a level should stand: as torch-onednn@2.12.0%avx2")
    if ":" in row:
        methods = [function(row, calling)]
    else:
        methods = [versioned(method, version, calling) for method in find([row])] if version else find([row])
    if level:
        return [method.at_level(isa.level(level)) for method in methods]
    return [held for method in methods for held in _at_levels(method, calling.isa)]


def _at_levels(method: Method, names: tuple[str, ...]) -> list[Method]:
    """Return the method at each of these levels; 'all': every level that it can run at here; none: unrestricted."""
    if not names:
        return [method]
    asked = [isa.level(name) for name in names if name != "all"]
    if "all" in names:
        asked += [level for level in isa.LEVELS.values() if not method.why_not_at(level)]
    return [method if level is isa.DEFAULT else method.at_level(level) for level in dict.fromkeys(asked)]


def versioned(method: Method, version: str, calling: Calling) -> Method:
    """Return `method` at `version` of its package, in an environment that is created if it does not exist.

    Raises:
        UsageError: the method belongs to no package, or there is no such version.
    """
    package = method.package
    if package is None:
        raise UsageError(f"{method.name}@{version}: {method.name} is part of convlaws and has no versions of its own")
    python = Environment(package, version).build(allow_large=calling.allow_large, say=calling.say)
    return method.at(version, python)


def function(address: str, calling: Calling) -> Method:
    """Return the method that calls the user's function at `address`, with the function's declaration."""
    place, _, name = address.rpartition(":")
    if not place or not name.isidentifier():
        raise UsageError(f"{address!r} is no function: it should be package.module:function or path/to/file.py:function")
    said = declared(address)
    signature, arrays = calling.signature or said.signature or "conv2d", calling.arrays or said.arrays or "torch"
    return user_method(address, signature, arrays, said.contract, said.scope, said.can)


def from_dict(record: Mapping[str, Any]) -> Method:
    """Return the method whose `to_dict` came from another process."""
    if "row" in record:
        method = get(record["row"])
    else:
        called = (record[part] for part in ("function", "signature", "arrays", "own", "scope", "can"))
        method = user_method(*called)
    if "version" in record:
        method = method.at(record["version"], record["python"])
    method = method.declares(record["contract"]) if record["contract"] else method
    method = replace(method, known_as=record["known_as"])
    return method.at_level(isa.level(record["level"])) if record.get("level") else method
