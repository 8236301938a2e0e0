"""A user's own function as a method: named by its address, called like torch's own functions.

The function is called with positional arguments only, those of torch.nn.functional.conv2d

    input, weight, bias, stride, padding, dilation, groups

or of conv_transpose2d

    input, weight, bias, stride, padding, output_padding, groups, dilation

and their likes in one and three dimensions. bias is None where there is none; stride,
dilation and output_padding are tuples of integers; padding is one, or 'same' or 'valid'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convlaws.errors import UsageError
from convlaws.problem.scope import Scope
from convlaws.targets.declaration import contract_rule
from convlaws.targets.process_spec import WITH_NUMPY, WITH_TORCH
from convlaws.targets.registry import Method

PARAMETERS = {
    False: ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    True: ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"),
}


# name -> (number of axes, transposed)
SIGNATURES = {f"conv{'_transpose' * t}{n}d": (n, bool(t)) for t in (0, 1) for n in (1, 2, 3)}
ARRAYS = {"torch": "torch.Tensor", "numpy": "numpy.ndarray"}  # what a function takes and returns


def user_method(
    address: str,
    signature: str,
    arrays: str = "torch",
    contract: str | Mapping[str, str] = "plain",
    scope: Scope | None = None,
    can: Iterable[str] = (),
) -> Method:
    """Return the method that calls the function at `address`; its options are its target (see `engines.host`).

    `contract`, `scope` and `can` are what the function declares; its signature narrows the scope further.

    The function is looked up where the target is opened, in the sandbox: an invalid address
    is a UsageError there.

    Raises:
        UsageError: an unknown signature or kind of arrays, or a declared scope that the signature cannot express.

    >>> from convlaws.problem.problem import Problem
    >>> user_method("mine.py:conv", "conv1d").scope.refuses(Problem.parse("n1c1k1_x5x5_r2x2"))
    'the number of spatial axes is 2, only 1 is done'
    """
    ndim, transposed = one_of("signature", signature, SIGNATURES)
    one_of("arrays", arrays, ARRAYS)
    wide = _expressible(ndim, transposed, arrays)
    met = wide.meet(scope or Scope())
    if met is None:
        raise UsageError(f"{address} declares nothing that {signature} with {arrays} arrays can be asked for")
    return Method(
        name=address,
        says=f"{address}, called like torch.nn.functional.{signature}",
        address="convlaws.engines.user:opened",
        scope=met,
        contract=contract_rule(contract),
        kind="function",
        can=frozenset({"threads", *can}) if arrays == "torch" else frozenset(),
        options={"function": address, "signature": signature, "arrays": arrays},
        home=WITH_TORCH if arrays == "torch" else WITH_NUMPY,
    )


def _expressible(ndim: int, transposed: bool, arrays: str) -> Scope:
    """Return the scope that a call with torch's signature can express."""
    return Scope(
        ops=("fprop",) if arrays == "numpy" else Scope().ops,
        ndim=(ndim,),
        transposed=(transposed,),
        padding=("none", "even") if transposed else ("none", "even", "same", "valid"),
        padding_mode=("zeros",),
        output_padding=Scope().output_padding if transposed else (False,),
    )


def one_of(name: str, value: str, table: Mapping[str, Any]) -> Any:
    """Return the entry of a table.

    Raises:
        UsageError: there is no such entry.
    """
    if value not in table:
        raise UsageError(f"{name} {value!r} is none of {', '.join(table)}")
    return table[value]
