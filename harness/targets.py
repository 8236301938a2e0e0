"""What a user names, as methods: a registered name, a glob, or a function of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from convlaws.contracts import contract as contract_named
from convlaws.engines.user import user_method
from convlaws.errors import UsageError
from convlaws.methods.registry import Method, find, get

SIGNATURES = tuple(f"{stem}{n}d" for stem in ("conv", "conv_transpose") for n in (1, 2, 3))


@dataclass(frozen=True, kw_only=True)
class Calling:
    """How a user's function is called, which contract every target is held to ('' = its own), and
    the row whose known findings explain their failures too ('' = none)."""

    signature: str = "conv2d"
    arrays: str = "torch"
    contract: str = ""
    known_as: str = ""


def resolve(targets: Iterable[str], calling: Calling) -> list[Method]:
    """The methods that `targets` name, each once.

    Raises:
        UnknownName: a name that is in no table, or a contract that is none.
        UsageError: a function address that cannot be one, or a file without a function.
    """
    targets = list(targets)
    if lone := next((t for t in targets if t.endswith(".py")), None):
        raise UsageError(f"{lone!r} is a file: name a function in it, {lone}:FUNCTION")
    if calling.contract:
        contract_named(calling.contract)
    found: dict[str, Method] = {}
    for target in targets:
        for method in [function(target, calling)] if ":" in target else find([target]):
            found[method.name] = method.declares(calling.contract) if calling.contract else method
    row = get(calling.known_as).name if calling.known_as else ""
    return [replace(method, known_as=row) for method in found.values()]


def function(address: str, calling: Calling) -> Method:
    """The method that calls the user's function at `address`."""
    place, _, name = address.rpartition(":")
    if not place or not name.isidentifier():
        raise UsageError(f"{address!r} is no function: it should be package.module:function or path/to/file.py:function")
    return user_method(address, calling.signature, calling.arrays, calling.contract or "plain")


def admit(passport: Mapping[str, str]) -> Method:
    """The method whose `passport` came from another process."""
    target = passport.get("row") or passport["function"]
    return resolve([target], Calling(**{name: passport[name] for name in passport.keys() & Calling.__dataclass_fields__}))[0]
