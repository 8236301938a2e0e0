"""What a user names, as methods: a registered name, a glob, or a function of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from convlaws.contracts import contract as contract_named
from convlaws.engines.asking import declared
from convlaws.engines.user import user_method
from convlaws.errors import UsageError
from convlaws.methods.registry import Method, find, get

SIGNATURES = tuple(f"{stem}{n}d" for stem in ("conv", "conv_transpose") for n in (1, 2, 3))


@dataclass(frozen=True, kw_only=True)
class Calling:
    """How a user's function is called ('' = as it declares, else conv2d with torch's arrays), and which contract
    every target is held to ('' = its own)."""

    signature: str = ""
    arrays: str = ""
    contract: str = ""

    @classmethod
    def chosen(cls, options: Mapping[str, Any]) -> Calling:
        """The calling that the options of a command ask for; None is what was not said."""
        return cls(**{name: options[name] or "" for name in ("signature", "arrays", "contract")})


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
    return list(found.values())


def function(address: str, calling: Calling) -> Method:
    """The method that calls the user's function at `address`, with what the function declares."""
    place, _, name = address.rpartition(":")
    if not place or not name.isidentifier():
        raise UsageError(f"{address!r} is no function: it should be package.module:function or path/to/file.py:function")
    said = declared(address)
    signature, arrays = calling.signature or said.signature or "conv2d", calling.arrays or said.arrays or "torch"
    return user_method(address, signature, arrays, said.contract, said.scope, said.can)


def admit(passport: Mapping[str, Any]) -> Method:
    """The method whose `passport` came from another process."""
    if "row" in passport:
        method = get(passport["row"])
    else:
        called = (passport[part] for part in ("function", "signature", "arrays", "own", "scope", "can"))
        method = user_method(*called)
    return method.declares(passport["contract"]) if passport["contract"] else method
