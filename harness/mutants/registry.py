"""How a mutant becomes a row: a function (spec, op, arrays) that starts from the right answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convlaws.methods.frame import run
from convlaws.methods.registry import Method, always, register
from convlaws.methods.unfold import Im2col
from convlaws.scope import Scope
from convlaws.spec import ConvSpec

Arrays = Mapping[str, np.ndarray]
Wrong = Callable[[ConvSpec, str, Arrays, Mapping[str, Any]], Any]
SMALL = Scope(macs=50_000)


def right(spec: ConvSpec, op: str, arrays: Arrays) -> np.ndarray:
    """The right answer, which most mutants spoil."""
    return run(Im2col, spec, op, dict(arrays))


def mutant(*ops: str, kind: str = "mutant", scope: Scope = SMALL):
    """Register a function as a mutant that is wrong in `ops` only (all, if none are named)."""

    def add(function: Callable) -> Wrong:
        def adapter(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
            if ops and op not in ops:
                return right(spec, op, arrays)
            return function(spec, op, dict(arrays))

        name = function.__name__.replace("_", "-")
        says = (function.__doc__ or "").strip().splitlines()[0]
        module = function.__module__
        register(
            Method(
                name=f"{kind}-{name}",
                says=says,
                address=f"{module}:{function.__name__}",
                scope=scope,
                contract=always("plain"),
                kind=kind,
            )
        )
        return adapter

    return add
