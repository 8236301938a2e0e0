"""Declarations of a convolution: how it is called, what it supports, which contract it keeps.

A user's function declares it with a decorator, an installed package in a file (see `targets.plugins`).
Declarations are tested: a problem within the declared scope on which the function raises, or errs by
more than its contract allows, is a finding, unless it raises `Refusal`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from convlaws.errors import UsageError
from convlaws.oracle.contracts import contract as contract_named
from convlaws.problem.problem import DTYPES
from convlaws.problem.scope import Scope
from convlaws.targets.registry import ContractRule, always

ATTRIBUTE = "__convlaws__"
PARTS = ("signature", "arrays", "scope", "contract", "can")
CAN = ("second",)  # capabilities that a function may declare beside its scope
F = TypeVar("F", bound=Callable[..., Any])
_KINDS: dict[str, Any] = {"signature": str, "arrays": str, "scope": dict, "contract": str | dict, "can": list}
_NUMBERS = ("kernel", "stride", "dilation")
_LIMITS = ("macs", "matrix")


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """`signature` and `arrays` are '' if not declared; `contract` is one name, or one per dtype (plain for the others).

    Raises:
        UsageError: an invalid value; signature and arrays are checked where the function is called.

    >>> Declaration(scope=Scope(dtypes=("float23",)))
    Traceback (most recent call last):
    convlaws.errors.UsageError: dtypes of the scope may hold 'float64', 'float32', 'float16', 'bfloat16', not 'float23'
    """

    signature: str = ""
    arrays: str = ""
    scope: Scope = field(default_factory=Scope)
    contract: str | Mapping[str, str] = "plain"
    can: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_scope(self.scope)
        contract_rule(self.contract)
        for name in self.can:
            if name not in CAN:
                raise UsageError(f"can may hold {', '.join(CAN)}, not {name!r}")

    def as_json(self) -> dict[str, Any]:
        """Return the declaration as a JSON object, with only the narrowed fields of the scope."""
        whole = Scope()
        narrow = {name: value for name, value in asdict(self.scope).items() if value != getattr(whole, name)}
        contract = self.contract if isinstance(self.contract, str) else dict(self.contract)
        return {**{part: getattr(self, part) for part in PARTS}, "scope": narrow, "contract": contract}


def declares(
    *,
    signature: str = "",
    arrays: str = "",
    scope: Scope | None = None,
    contract: str | Mapping[str, str] = "plain",
    can: Iterable[str] = (),
) -> Callable[[F], F]:
    """Return a decorator that attaches a declaration to a function and leaves it unchanged.

    Args:
        signature: the call that it takes, 'conv2d' and its variants in torch.nn.functional.
        arrays: 'torch' or 'numpy'.
        scope: the problems that it supports; those that its signature cannot express are excluded anyway.
        contract: the numerical class of its results; one name, or one per dtype.
        can: 'second' if it has a double backward.

    >>> @declares(signature="conv1d", scope=Scope(dtypes=("float32",)))
    ... def conv(input, weight, bias, stride, padding, dilation, groups): ...
    >>> declared_by(conv).signature
    'conv1d'
    """
    said = Declaration(signature=signature, arrays=arrays, scope=scope or Scope(), contract=contract, can=tuple(can))

    def mark(function: F) -> F:
        try:
            setattr(function, ATTRIBUTE, said)
        except (AttributeError, TypeError):
            raise UsageError(f"a {type(function).__name__} cannot hold a declaration: put it on a def that calls it") from None
        return function

    return mark


def declared_by(function: Any) -> Declaration:
    """Return what `function` declares; everything, if it declares nothing."""
    said = getattr(function, ATTRIBUTE, None)
    return said if isinstance(said, Declaration) else Declaration()


def from_json(told: Mapping[str, Any]) -> Declaration:
    """Return the declaration that a JSON object holds.

    Raises:
        UsageError: it holds something else.
    """
    _known(told, PARTS, "a declaration")
    for part, value in told.items():
        if not isinstance(value, _KINDS[part]):
            raise UsageError(f"{part} is {value!r}, of type {type(value).__name__}")
    scope = told.get("scope", {})
    _known(scope, [f.name for f in fields(Scope)], "a scope")
    narrow: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in scope.items()}
    return Declaration(**{**told, "scope": Scope(**narrow), "can": tuple(told.get("can", ()))})


def _known(told: Mapping[str, Any], names: Iterable[str], what: str) -> None:
    if extra := sorted(set(told) - set(names)):
        raise UsageError(f"{what} has no {', '.join(extra)}; it has {', '.join(names)}")


def contract_rule(contract: str | Mapping[str, str]) -> ContractRule:
    """Return the rule of a declared contract.

    Raises:
        UnknownName: an unknown contract.
        UsageError: an unknown dtype.
    """
    if isinstance(contract, str):
        return always(contract_named(contract).name)
    for dtype, name in contract.items():
        if dtype not in DTYPES:
            raise UsageError(f"a contract for the dtype {dtype!r}: it is none of {', '.join(DTYPES)}")
        contract_named(name)
    by_dtype = dict(contract)
    return lambda spec, op, dtype: by_dtype.get(dtype, "plain")


def _check_scope(scope: Scope) -> None:
    for f in fields(Scope):
        value, whole = getattr(scope, f.name), getattr(Scope(), f.name)
        if f.name in _LIMITS:
            right = isinstance(value, int)
        elif f.name in _NUMBERS or f.name == "channels":
            right = isinstance(value, tuple) and all(isinstance(n, int) for n in value)
            right = right and (f.name != "channels" or len(value) == 2)
        else:
            right = isinstance(value, tuple) and bool(value)
            for one in value if right else ():
                if one not in whole:
                    raise UsageError(f"{f.name} of the scope may hold {', '.join(map(repr, whole))}, not {one!r}")
        if not right:
            raise UsageError(f"{f.name} of the scope is {value!r}; it should look like {whole or (1, 3)!r}")
