"""The numbers of a spec: tables to pick from, and the spec that picked numbers make.

Every choice of entries makes a valid spec of the wanted kind: the room that a
kernel needs is known before the extent, which is that room and something beyond it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

from convlaws.scope import Scope, matrix_entries
from convlaws.spec import ConvSpec
from convlaws.spec_text import Sides

Pick = Callable[[Sequence], Any]
Menu = dict[str, tuple[int, ...]]
Raw = dict[str, list[int]]


class Shape(NamedTuple):
    """The features of a spec that conflict with no other, in the words of Scope."""

    ndim: int
    grouping: str
    batch: str


class Kind(NamedTuple):
    """The features of a spec that conflict with one another, in the words of Scope."""

    transposed: bool
    padding: str
    padding_mode: str
    output_padding: bool
    strided: bool
    dilated: bool


class Draft(NamedTuple):
    """A spec before its numbers are picked."""

    shape: Shape
    kind: Kind
    bias: bool
    menu: Menu


# Ascending, so that a number shrinks to the first; an entry that stands twice is drawn twice as often.
# The values are those at which real bugs began (block sizes and vector widths +-1, primes, even kernels).
_SMALL: Menu = {
    "images": (2, 2, 3, 4, 5),
    "groups": (2, 2, 3, 4),
    "inward": (1, 1, 2, 2, 3, 4, 5, 8),
    "outward": (1, 1, 2, 2, 3, 4, 5, 8),
    "kernel": (1, 1, 2, 2, 3, 3, 3, 4, 5),
    "stride": (1, 2, 2, 2, 3, 3, 4, 5),
    "dilation": (1, 2, 2, 2, 3, 4),
    "low": (0, 1, 1, 1, 2, 2, 3, 4, 7),
    "high": (0, 0, 1, 1, 2, 3, 5),
    "output_padding": (0, 1, 1, 2, 3),
    "beyond": (0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13),
}
_WIDE = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33, 48, 64, 65)
# beyond b there are b + 1 results at stride 1
_LONG = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 22, 23, 24, 30, 31, 32, 46, 47, 62, 63, 64, 127, 512)
# each scale is large in one way only: all large at once would be cut down to all middling
SCALES: dict[str, Menu] = {
    "small": {},
    "channels": {"inward": _WIDE, "outward": _WIDE, "groups": _WIDE[1:], "beyond": (0, 0, 1, 1, 2, 3, 4)},
    "space": {"beyond": _LONG, "inward": (1, 2, 3, 4), "outward": (1, 2, 3, 4)},
    "images": {"images": (2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65), "beyond": (0, 0, 1, 1, 2, 3, 4)},
    "kernel": {"kernel": (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 17), "inward": (1, 1, 2), "outward": (1, 1, 2)},
}

# which numbers a spec has: the name in a menu, and how many of them
_COUNTS: dict[str, Callable[[Shape, Kind], int]] = {
    "images": lambda shape, kind: shape.batch == "many",
    "groups": lambda shape, kind: shape.grouping != "one",
    "inward": lambda shape, kind: shape.grouping != "depthwise",
    "outward": lambda shape, kind: 1,
    "kernel": lambda shape, kind: shape.ndim,
    "stride": lambda shape, kind: shape.ndim * kind.strided,
    "dilation": lambda shape, kind: shape.ndim * kind.dilated,
    "low": lambda shape, kind: shape.ndim * (kind.padding in ("even", "uneven")),
    "high": lambda shape, kind: shape.ndim * (kind.padding == "uneven"),
    "output_padding": lambda shape, kind: shape.ndim * kind.output_padding,
    "beyond": lambda shape, kind: shape.ndim,
}


def menu(scope: Scope, grouping: str, scale: str) -> Menu:
    """The table of each number, cut to what `scope` allows."""
    found = _SMALL | SCALES[scale]
    for name in ("kernel", "stride", "dilation"):
        if getattr(scope, name):
            found[name] = tuple(sorted(getattr(scope, name)))
    for name, most in zip(("inward", "outward"), scope.channels, strict=True):
        found[name] = tuple(c for c in found[name] if c <= (most or c))
    if grouping == "some":  # one input channel a group would be depthwise; a scope without two refuses
        found["inward"] = tuple(c for c in found["inward"] if c > 1) or (2,)
    return found


def raw_numbers(pick: Pick, draft: Draft) -> Raw:
    """One entry of the menu for each number, field by field.

    Field by field and not axis by axis: no worse in shrinking (2026-11-21, 10 conditions, 12 seeds each: one
    axis in 112 of 120 against 115), provided that the words are drawn before: after, it was 101.
    """
    counts = {name: count(draft.shape, draft.kind) for name, count in _COUNTS.items()}
    return {name: [pick(draft.menu[name]) for _ in range(count)] for name, count in counts.items()}


# --- from numbers to a spec -------------------------------------------------------
def spec_of(draft: Draft, raw: Raw) -> ConvSpec:
    """The spec that these numbers make of a draft."""
    shape, kind, bias, menu = draft
    ones = (1,) * shape.ndim
    groups = (raw["groups"] or [1])[0]
    stride = _one_above(1, raw["stride"], menu["stride"]) or ones
    dilation = _one_above(1, raw["dilation"], menu["dilation"]) or ones
    kernel = tuple(raw["kernel"])
    padding, extra = _padding(draft, raw), _output_padding(raw, stride, dilation)
    reach = tuple(d * (r - 1) + 1 for d, r in zip(dilation, kernel, strict=True))
    axes = zip(reach, stride, _sides(padding, reach), extra or (0,) * shape.ndim, raw["beyond"], strict=True)
    return ConvSpec(
        batch={"unbatched": None, "empty": 0, "one": 1}.get(shape.batch, (raw["images"] or [1])[0]),
        in_channels=groups * (raw["inward"] or [1])[0],
        out_channels=groups * raw["outward"][0],
        extent=tuple(_room(kind, r, s, side, e) + beyond for r, s, side, e, beyond in axes),
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
        padding_mode=kind.padding_mode,
        transposed=kind.transposed,
        output_padding=extra,
    )


def _sides(padding: Sides | str, reach: tuple[int, ...]) -> Sides:
    if isinstance(padding, str):
        return tuple((0, 0) if padding == "valid" else ((r - 1) // 2, r // 2) for r in reach)
    return padding


def _one_above(least: int, values: list[int], table: Sequence[int]) -> tuple[int, ...]:
    """The values, the last one raised if none is above `least`."""
    if not values or max(values) > least:
        return tuple(values)
    return (*values[:-1], next((t for t in table if t > least), least + 1))


def _padding(draft: Draft, raw: Raw) -> Sides | str:
    shape, kind, _, menu = draft
    if kind.padding in ("same", "valid"):
        return kind.padding
    if kind.padding == "none":
        return ((0, 0),) * shape.ndim
    if kind.padding == "even":
        return tuple((p, p) for p in _one_above(0, raw["low"], menu["low"]))
    low, high = raw["low"], raw["high"]
    return tuple(zip(low, high if low != high else (*high[:-1], high[-1] + 1), strict=True))


def _output_padding(raw: Raw, stride: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    room = [max(s, d) - 1 for s, d in zip(stride, dilation, strict=True)]
    extra = [min(e, r) for e, r in zip(raw["output_padding"], room, strict=False)]
    if extra and not any(extra):
        axis = max(range(len(room)), key=room.__getitem__)
        extra[axis] = min(1, room[axis])
    return tuple(extra)


def _room(kind: Kind, reach: int, stride: int, side: tuple[int, int], extra: int) -> int:
    """The least extent of an axis: y is not empty, and the padding finds what it copies."""
    if kind.transposed:
        return max(1, 1 - (reach + extra - sum(side) - 1) // stride)
    copied = {"reflect": max(side) + 1, "circular": max(side)}.get(kind.padding_mode, 1)
    return max(1, reach - sum(side), copied)


# --- limits -------------------------------------------------------------------------
OPERAND = 2**15  # elements of the largest array: the oracle then takes about a millisecond


class Limits(NamedTuple):
    """How large a problem may be; `matrix` as in Scope."""

    macs: int
    matrix: int

    def exceeded(self, spec: ConvSpec) -> str | None:
        """What is too large, in words."""
        if spec.macs > self.macs:
            return f"it takes {spec.macs:,} multiply-adds at least, over {self.macs:,}"
        if self.matrix and matrix_entries(spec) > self.matrix:
            return f"its matrix has {matrix_entries(spec):,} entries at least, over {self.matrix:,}"
        largest = max(map(prod, (spec.x_shape, spec.w_shape, spec.y_shape)))
        return f"an array has {largest:,} elements at least, over {OPERAND:,}" if largest > OPERAND else None


# cut in this order: what only repeats first, what changes the code path of a method last
_CUTS = (
    ("beyond", "images", "inward", "outward", "groups"),
    ("kernel", "dilation", "low", "high", "output_padding"),
    ("stride",),
)


def fitted(draft: Draft, raw: Raw, limits: Limits) -> ConvSpec:
    """The spec of these numbers, each large one lowered along its table until the limits hold."""
    spec = spec_of(draft, raw)
    while limits.exceeded(spec) and _cut(draft.menu, raw):
        spec = spec_of(draft, raw)
    return spec


def _cut(menu: Menu, raw: Raw) -> bool:
    """Lower the largest number by one entry of its table; False if all are at their least."""
    for names in _CUTS:
        left = [(v, name, i) for name in names for i, v in enumerate(raw[name]) if v > menu[name][0]]
        if left:
            value, name, i = max(left)
            raw[name][i] = max(t for t in menu[name] if t < value)
            return True
    return False
