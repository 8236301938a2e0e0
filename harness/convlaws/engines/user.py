"""A user's own function as a method: found by its address, called as torch calls its own.

The function is called with positional arguments only, those of torch.nn.functional.conv2d

    input, weight, bias, stride, padding, dilation, groups

or of conv_transpose2d

    input, weight, bias, stride, padding, output_padding, groups, dilation

and their likes in one and three dimensions. bias is None where there is none; stride,
dilation and output_padding are tuples of integers; padding is one, or 'same' or 'valid'.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from convlaws.engines.tensors import NO_GRADIENT, derived, to_array, to_tensor
from convlaws.engines.torch_cpu import call_arguments
from convlaws.errors import Refusal, UsageError
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.declaration import contract_rule
from convlaws.targets.loading import find
from convlaws.targets.process_spec import WITH_NUMPY, WITH_TORCH
from convlaws.targets.registry import Method

PARAMETERS = {
    False: ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    True: ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"),
}
# name -> (number of axes, transposed)
SIGNATURES = {f"conv{'_transpose' * t}{n}d": (n, bool(t)) for t in (0, 1) for n in (1, 2, 3)}
Compute = Callable[[ConvSpec, str, dict[str, np.ndarray]], np.ndarray]


def user_method(
    address: str,
    signature: str,
    arrays: str = "torch",
    contract: str | Mapping[str, str] = "plain",
    scope: Scope | None = None,
    can: Iterable[str] = (),
) -> Method:
    """The method that asks the function at `address`; its options are its target (see `engines.host`).

    `contract`, `scope` and `can` are what the function declares; its signature narrows the scope further.

    The function itself is looked for where the target is opened, in the sandbox: an
    address that leads nowhere is a UsageError there.

    Raises:
        UsageError: a signature or a kind of arrays that is none, or a declared scope that the signature cannot express.

    >>> from convlaws.problem.problem import Problem
    >>> user_method("mine.py:conv", "conv1d").scope.refuses(Problem.parse("n1c1k1_x5x5_r2x2"))
    'the number of spatial axes is 2, only 1 is done'
    """
    ndim, transposed = _known("signature", signature, SIGNATURES)
    _known("arrays", arrays, _CALLERS)
    wide = _expressible(ndim, transposed, arrays)
    met = wide.meet(scope or Scope())
    if met is None:
        raise UsageError(f"{address} declares nothing that {signature} with {arrays} arrays can be asked for")
    return Method(
        name=address,
        says=f"{address}, called like torch.nn.functional.{signature}",
        address=f"{__name__}:opened",
        scope=met,
        contract=contract_rule(contract),
        kind="function",
        can=frozenset({"threads", *can}) if arrays == "torch" else frozenset(),
        options={"function": address, "signature": signature, "arrays": arrays},
        home=WITH_TORCH if arrays == "torch" else WITH_NUMPY,
    )


def _expressible(ndim: int, transposed: bool, arrays: str) -> Scope:
    """What can be said in a call of torch's signature at all."""
    return Scope(
        ops=("fprop",) if arrays == "numpy" else Scope().ops,
        ndim=(ndim,),
        transposed=(transposed,),
        padding=("none", "even") if transposed else ("none", "even", "same", "valid"),
        padding_mode=("zeros",),
        output_padding=Scope().output_padding if transposed else (False,),
    )


def _known(name: str, value: str, table: Mapping[str, Any]) -> Any:
    if value not in table:
        raise UsageError(f"{name} {value!r} is none of {', '.join(table)}")
    return table[value]


def check_importable(address: str, signature: str) -> Callable:
    """The function at `address`, able to take the arguments of `signature`.

    A transposed function takes the positions of a plain one too, and would fail at every problem.

    Raises:
        UsageError: what is wrong with it, in a sentence.
    """
    function = find(address)
    _, transposed = _known("signature", signature, SIGNATURES)
    if not callable(function):
        raise UsageError(f"{address} is {function!r:.60} of type {type(function).__name__}, not a function")
    names = PARAMETERS[transposed]
    try:
        parameters = inspect.signature(function)
    except ValueError:  # a builtin that does not say what it takes
        return function
    if not transposed and "output_padding" in parameters.parameters:
        raise UsageError(f"{address} has a parameter output_padding: it needs --signature conv_transpose{signature[4:]}")
    try:
        parameters.bind(*names)
    except TypeError as error:
        raise UsageError(
            f"{address} has the parameters {parameters}, but {signature} calls it with {len(names)} "
            f"positional arguments ({', '.join(names)}): {error}"
        ) from None
    return function


def opened(target: Mapping[str, Any]) -> Compute:
    """(spec, op, arrays) -> array, by the function that the target names.

    Raises:
        UsageError: it cannot be called.
    """
    function = check_importable(target["function"], target["signature"])
    caller = _known("arrays", target.get("arrays", "torch"), _CALLERS)
    return lambda spec, op, arrays: caller(function, spec, op, arrays)


def third_party(spec: ConvSpec, op: str, arrays: dict[str, np.ndarray], options: Mapping[str, Any]) -> np.ndarray:
    """The adapter of an engine that another package brought (see `third_party`).

    Raises:
        Refusal: its library cannot be imported here.
    """
    return _third_party(json.dumps(options, sort_keys=True))(spec, op, arrays)


@lru_cache
def _third_party(told: str) -> Compute:
    options = json.loads(told)
    try:
        if "function" in options:
            return opened(options)
        adapter, own = find(options["adapter"]), options["options"]
    except UsageError as error:
        raise Refusal(str(error)) from None
    return lambda spec, op, arrays: adapter(spec, op, arrays, own)


def _with_torch(function: Callable, spec: ConvSpec, op: str, arrays: dict[str, np.ndarray]) -> np.ndarray:
    import torch

    def forward(x, w, b):
        return _returned(function(x, w, b, *call_arguments(spec)), torch.Tensor, "torch.Tensor")

    return to_array(derived(forward, spec, op, {role: to_tensor(a) for role, a in arrays.items()}))


def _with_numpy(function: Callable, spec: ConvSpec, op: str, arrays: dict[str, np.ndarray]) -> np.ndarray:
    if op != "fprop":
        raise Refusal(NO_GRADIENT)
    y = function(arrays["x"], arrays["w"], arrays.get("b"), *call_arguments(spec))
    return _returned(y, np.ndarray, "numpy.ndarray")


def _returned(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"the function returned {value!r:.60} of type {type(value).__name__}, it should be a {name}")
    return value


_CALLERS = {"torch": _with_torch, "numpy": _with_numpy}
