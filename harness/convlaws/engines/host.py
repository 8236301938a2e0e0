"""Code that runs in the child process: opens a target and answers calls.

A target is a dictionary, so that it can be sent to the process:

    {"row": "im2col"}                                             a row of the table of methods
       {"function": "path/to/file.py:conv", "signature": "conv2d",   a user's own function
     "arrays": "torch"}

The address of a row names a class of maps (see `methods.base.Maps`) or an
adapter `f(spec, op, arrays, options) -> array`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from convlaws.engines import kernel_log, stopwatch, tensors, user
from convlaws.errors import UsageError
from convlaws.methods import base
from convlaws.problem.spec import ConvSpec
from convlaws.targets import registry


class HostCall(Protocol):
    """One call as sent to the process: bfloat16 arrays are uint16 bits, strides are kept."""

    spec: str
    op: str
    dtype: str
    arrays: Mapping[str, np.ndarray]


__all__ = ["kernel_log", "measured", "open_target", "preload", "set_threads"]
Answer = tuple[np.ndarray, str]
Compute = Callable[[ConvSpec, str, dict[str, np.ndarray]], np.ndarray]
Ready = Callable[[ConvSpec, str, dict[str, np.ndarray]], AbstractContextManager[Callable[[], np.ndarray]]]
OURS = (user.__file__, tensors.__file__)  # files of ours that an error message never names as the code under test


def preload() -> None:
    """Load the table for the children; nothing is computed, so no thread is started before the fork."""
    registry.rows("method", "engine", "mutant")


def set_threads(count: int) -> None:
    """Limit the loaded libraries to `count` threads."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)
    if find_spec("threadpoolctl"):  # for the BLAS of NumPy and SciPy; not one of our requirements
        import_module("threadpoolctl").threadpool_limits(count)


def open_target(target: Mapping[str, Any]) -> Callable[[HostCall], Answer]:
    """The function that answers calls to `target`.

    Returns:
        call -> (array, its dtype's name); bfloat16 as uint16 bits.

    Raises:
        UsageError: a function that cannot be called; the message is for the user.
        UnknownName: no such row.
    """
    opener = next((_OPENERS[key] for key in _OPENERS if key in target), None)
    if opener is None:
        raise UsageError(f"the target {dict(target)} has none of {', '.join(_OPENERS)}")
    compute = opener(target)

    def answered(call: HostCall) -> Answer:
        arrays = {role: base.bits_to_array(raw, call.dtype) for role, raw in call.arrays.items()}
        return _packed(compute(ConvSpec.parse(call.spec), call.op, arrays))

    return answered


def measured(
    target: Mapping[str, Any], opened: Callable[[HostCall], Answer], call: HostCall, how: Mapping[str, Any]
) -> tuple[Answer, dict[str, Any]]:
    """The answer to a call, and its measurements (see `stopwatch`).

    The timed part is what a user pays on every call. A row whose module has `READY` (from the name of its adapter to a
    generator function that yields the call) is prepared beforehand: a session is built there, a graph recorded.
    Memory is that of one whole call, preparation included.
    """
    ready = None if how.get("memory") else _ready(target)
    if ready is None:
        return stopwatch.measured(lambda: opened(call), how)
    arrays = {role: base.bits_to_array(raw, call.dtype) for role, raw in call.arrays.items()}
    with ready(ConvSpec.parse(call.spec), call.op, arrays) as run:
        result, measurements = stopwatch.measured(run, how)
        return _packed(result), measurements


def _ready(target: Mapping[str, Any]) -> Ready | None:
    if "row" not in target:
        return None
    row = registry.get(target["row"])
    module, _, name = row.address.partition(":")
    prepare = getattr(import_module(module), "READY", {}).get(name)
    return contextmanager(lambda spec, op, arrays: prepare(spec, op, arrays, row.options)) if prepare else None


def _packed(result: np.ndarray) -> Answer:
    name = result.dtype.name
    return (result.view(np.uint16), name) if name == "bfloat16" else (result, name)


def open_row(target: Mapping[str, Any]) -> Compute:
    """(spec, op, arrays) -> array, for a row of the table."""
    row = registry.get(target["row"])
    code = attribute(row.address)
    if isinstance(code, type):
        return partial(base.run, code)
    return lambda spec, op, arrays: code(spec, op, arrays, row.options)


def attribute(address: str) -> Any:
    """The object at `module:attribute`."""
    module, _, path = address.partition(":")
    value: Any = import_module(module)
    for name in path.split("."):
        value = getattr(value, name)
    return value


_OPENERS: dict[str, Callable[[Mapping[str, Any]], Compute]] = {"row": open_row, "function": user.opened}
