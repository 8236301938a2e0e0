"""A user's function in the child process: imported by its address and called (see `targets.function`)."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from convlaws.engines.tensors import NO_GRADIENT, derived, to_array, to_tensor
from convlaws.engines.torch_cpu import call_arguments
from convlaws.errors import Refusal, UsageError
from convlaws.problem.spec import ConvSpec
from convlaws.targets.function import PARAMETERS, SIGNATURES, one_of
from convlaws.targets.loading import find

Compute = Callable[[ConvSpec, str, dict[str, np.ndarray]], np.ndarray]


def check_importable(address: str, signature: str) -> Callable:
    """Import the function at `address`, and check that it accepts the arguments of `signature`.

    A transposed function also accepts the positional arguments of a plain one, and would fail at every problem.

    Raises:
        UsageError: the error in it, in a sentence.
    """
    function = find(address)
    _, transposed = one_of("signature", signature, SIGNATURES)
    if not callable(function):
        raise UsageError(f"{address} is {function!r:.60} of type {type(function).__name__}, not a function")
    names = PARAMETERS[transposed]
    try:
        parameters = inspect.signature(function)
    except ValueError:  # a builtin without a signature
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
    """(spec, op, arrays) -> array, for the user's function that the target names.

    Raises:
        UsageError: it cannot be called.
    """
    function = check_importable(target["function"], target["signature"])
    caller = one_of("arrays", target.get("arrays", "torch"), _CALLERS)
    return lambda spec, op, arrays: caller(function, spec, op, arrays)


def third_party(spec: ConvSpec, op: str, arrays: dict[str, np.ndarray], options: Mapping[str, Any]) -> np.ndarray:
    """The adapter of an engine from another package (see `third_party`).

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
