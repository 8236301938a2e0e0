"""Scope: the allowed values of a method or a law, field by field.

Both the message that refuses a problem and the strategy that draws only allowed
problems are derived from it, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from math import prod
from typing import Any

from convlaws.problem.features import ALL_PADDINGS, BATCHES, GROUPINGS, PADDINGS, features, said
from convlaws.problem.fills import FILLS
from convlaws.problem.kept_hash import fields_only, kept_hash
from convlaws.problem.problem import DTYPES, LAYOUTS, OPS, Problem
from convlaws.problem.spec import PADDING_MODES, ConvSpec
from convlaws.problem.spec_rules import why_empty

FINITE = tuple(f for f in FILLS if f not in ("special", "huge", "tiny"))
SPATIAL = ("fprop", "dgrad", "wgrad")  # bgrad does not depend on the kernel
NOT_EMPTY = ("unbatched", "one", "many")  # an empty batch has no result to compare
SEPARATE = ("contiguous", "channels_last", "sliced")  # `expanded` repeats one image; with these layouts images may differ
BOTH = (False, True)
DEARER = 8  # factor by which a law's own calls may exceed the cost limits of a scope
# values that only some engines support: a row or a law that does says Scope(**WIDE, ...), or names some of the fields
WIDE: dict[str, Any] = {"padding": ALL_PADDINGS, "input_dilated": BOTH, "empty": BOTH}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The accepted problems. Every field is a tuple of the allowed values, or a limit.

    The default accepts what torch supports. Negative padding (cropping), the padding words of ONNX and
    TensorFlow, `input_dilated` (zeros between the elements of x) and `empty` (an extent of x or y is 0)
    must be named explicitly; `WIDE` has all of them.

    `kernel`, `stride`, `dilation`: the sizes allowed on each axis (empty: all). `strided`,
    `dilated`: whether the largest of them exceeds 1. `grouping`: one group; some; depthwise
    (one input channel per group). `channels`: (most input, most output) per group, 0 for no limit.
    `macs`: the largest number of multiply-adds, `matrix`: the largest number of entries of a dense
    convolution matrix; 0 for no limit.

    >>> Scope(kernel=(3,), ops=("fprop",)).refuses(Problem.parse("n1c1k1_x5_r2"))
    'the kernel is 2 on axis 0, only 3 is done'
    """

    ops: tuple[str, ...] = OPS
    ndim: tuple[int, ...] = (1, 2, 3)
    dtypes: tuple[str, ...] = DTYPES
    layouts: tuple[str, ...] = LAYOUTS
    fills: tuple[str, ...] = tuple(FILLS)
    batch: tuple[str, ...] = BATCHES
    transposed: tuple[bool, ...] = BOTH
    bias: tuple[bool, ...] = BOTH
    padding: tuple[str, ...] = PADDINGS
    padding_mode: tuple[str, ...] = PADDING_MODES
    output_padding: tuple[bool, ...] = BOTH
    grouping: tuple[str, ...] = GROUPINGS
    strided: tuple[bool, ...] = BOTH
    dilated: tuple[bool, ...] = BOTH
    input_dilated: tuple[bool, ...] = (False,)
    empty: tuple[bool, ...] = (False,)
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    channels: tuple[int, int] = (0, 0)
    macs: int = 0
    matrix: int = 0

    __hash__ = kept_hash
    __getstate__ = fields_only

    def refuses(self, problem: Problem) -> str | None:
        """Return why `problem` is out of this scope, in words; None if it is within."""
        for name, value in features(problem).items():
            if value not in getattr(self, name):
                if name == "empty" and value:
                    return f"{why_empty(problem.spec)}: {_WORDS[name]} is not done"
                return f"{_WORDS.get(name, name)} is {said(value)}, only {_list(getattr(self, name))} is done"
        return self.refuses_size(problem.spec)

    def refuses_size(self, spec: ConvSpec) -> str | None:
        """Return why the sizes of `spec` are out of this scope, in words; None if they are within."""
        for name in ("kernel", "stride", "dilation"):
            allowed = getattr(self, name)
            for axis, value in enumerate(getattr(spec, name)):
                if allowed and value not in allowed:
                    return f"the {name} is {value} on axis {axis}, only {_list(allowed)} is done"
        sides = (spec.in_channels // spec.groups, spec.out_channels // spec.groups)
        for side, count, most in zip(("input", "output"), sides, self.channels, strict=True):
            if most and count > most:
                return f"a group has {count} {side} channels, at most {most} are done"
        for name, count in (("macs", macs_of_an_image(spec)), ("matrix", matrix_entries(spec))):
            limit = getattr(self, name)
            if limit and count > limit:
                return _LIMITS[name].format(count, limit)
        return None

    def covers(self, other: Scope) -> bool:
        """Return True if every problem of `other` is within this scope."""
        return self == other or _covers(self, other)

    @cached_property
    def width(self) -> int:
        """The number of values that it allows, and of limits that it does not have: a scope that covers another is as wide."""
        limits = sum(getattr(self, name) in ((), 0, (0, 0)) for name in _MEET)
        return limits + sum(len(getattr(self, name)) for name in self.__dataclass_fields__ if name not in _MEET)

    def describe(self) -> str:
        """Return the fields that are narrower than the default, in words; '' if none is."""
        parts = []
        for name in self.__dataclass_fields__:
            value, ordinary = getattr(self, name), getattr(ORDINARY, name)
            if not isinstance(value, tuple):
                parts += [f"{name} up to {value:,}"] * (value != ordinary)
            elif value != ordinary and not (name in WIDE and set(ordinary) <= set(value)):
                parts.append(f"{name} {_list(value)}")
        return "; ".join(parts)

    def beyond(self) -> str:
        """Return what is accepted beyond the default, in words; '' if nothing is."""
        more = {name: tuple(v for v in getattr(self, name) if v not in getattr(ORDINARY, name)) for name in WIDE}
        said = (f"{_WORDS[name]} {_list(found)}" if name == "padding" else _WORDS[name] for name, found in more.items() if found)
        return ", ".join(said)

    def meet(self, other: Scope) -> Scope | None:
        """Return the scope that both accept, or None if it is empty."""
        found = {f.name: _MEET.get(f.name, _common)(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        empty = any(found[name] == () and name not in _MEET for name in found) or any(found[n] is None for n in found)
        return None if empty else Scope(**found)


@lru_cache(maxsize=1 << 15)
def _covers(wide: Scope, narrow: Scope) -> bool:
    return wide.meet(narrow) == narrow


ORDINARY = Scope()
WHOLE = Scope(**WIDE)


@lru_cache(maxsize=1024)
def ability(scope: Scope, mirrors: bool) -> Scope:
    """Return the scope for a law's own calls: up to `DEARER` times the cost, and transposed or not if it mirrors."""
    larger: dict[str, Any] = {"macs": DEARER * scope.macs, "matrix": DEARER * scope.matrix}
    if mirrors:
        larger["transposed"] = BOTH
    return replace(scope, **larger)


def macs_of_an_image(spec: ConvSpec) -> int:
    """Return the multiply-adds, those of one image if there is none: an empty batch needs the same matrices as one image."""
    return spec.macs if spec.images else replace(spec, batch=1).macs


def matrix_entries(spec: ConvSpec) -> int:
    """Return the number of entries of the dense matrix of one image: results times inputs."""
    wide = prod(n + sum(side) for n, side in zip(spec.spaced, spec.sides, strict=True))
    return spec.in_channels * spec.out_channels * wide * prod(spec.output)


_WORDS = {
    "ops": "the op",
    "ndim": "the number of spatial axes",
    "dtypes": "the dtype",
    "layouts": "the layout",
    "fills": "the fill",
    "batch": "the batch",
    "padding": "the padding",
    "padding_mode": "the padding mode",
    "grouping": "the grouping",
    "input_dilated": "input dilation",
    "empty": "an empty input or result",
}
_LIMITS = {
    "macs": "{:,} multiply-adds are over the limit of {:,}",
    "matrix": "the matrix would have {:,} entries, over {:,}",
}


def _list(values: tuple) -> str:
    return " or ".join(map(said, values)) if values else "nothing"


# --- the intersection of two scopes --------------------------------------------------
def _common(a: tuple, b: tuple) -> tuple:
    return tuple(v for v in a if v in b)


def _sizes(a: tuple, b: tuple) -> tuple | None:
    if not a or not b:
        return a or b
    return _common(a, b) or None


def _limit(a: int, b: int) -> int:
    return min(a or b, b or a)


_MEET: dict[str, Callable] = {
    "kernel": _sizes,
    "stride": _sizes,
    "dilation": _sizes,
    "channels": lambda a, b: tuple(_limit(x, y) for x, y in zip(a, b, strict=True)),
    "macs": _limit,
    "matrix": _limit,
}
