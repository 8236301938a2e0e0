"""The tables that the numbers of a spec are picked from, and the numbers that each kind of spec has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from convlaws.problem.scope import Scope

ChoiceTable = dict[str, tuple[int, ...]]
Raw = dict[str, list[int]]


class Pick(Protocol):
    """Callable that picks an entry of the table of `name`: a feature, a word, or a number on an axis."""

    def __call__(self, name: str, table: Sequence, axis: int = 0) -> Any: ...


class Shape(NamedTuple):
    """The features of a spec that conflict with no other feature, with the values of Scope."""

    ndim: int
    grouping: str
    batch: str


class Kind(NamedTuple):
    """The features of a spec that can conflict with one another, with the values of Scope."""

    transposed: bool
    padding: str
    padding_mode: str
    output_padding: bool
    strided: bool
    dilated: bool
    input_dilated: bool
    empty: bool


class Draft(NamedTuple):
    """A spec whose numbers are not picked yet."""

    shape: Shape
    kind: Kind
    bias: bool
    menu: ChoiceTable


# Ascending, so that a number shrinks to the first; an entry listed twice is drawn twice as often.
# The values are those at which real bugs began (block sizes and vector widths +-1, primes, even kernels).
_SMALL: ChoiceTable = {
    "images": (2, 2, 3, 4, 5),
    "groups": (2, 2, 3, 4),
    "in_per_group": (1, 1, 2, 2, 3, 4, 5, 8),
    "out_per_group": (1, 1, 2, 2, 3, 4, 5, 8),
    "kernel": (1, 1, 2, 2, 3, 3, 3, 4, 5),
    "stride": (1, 2, 2, 2, 3, 3, 4, 5),
    "dilation": (1, 2, 2, 2, 3, 4),
    "low": (0, 1, 1, 1, 2, 2, 3, 4, 7),
    "high": (0, 0, 1, 1, 2, 3, 5),
    "extra": (0, 1, 1, 2, 3),
    "input_dilation": (1, 2, 2, 2, 3, 4),
    "crop_low": (0, 1, 1, 1, 2, 3, 4, 5),
    "crop_high": (0, 0, 1, 1, 2, 3, 5),
    "shortfall": (0, 0, 1, 1, 2, 3),
    "extra_extent": (0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13),
}
_WIDE = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 22, 23, 24, 25, 26, 31, 32, 33, 34, 48, 63, 64, 65)
# an entry b gives b + 1 results at stride 1
LONG = (
    *(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 22, 23, 24, 30, 31, 32, 46, 47, 62, 63, 64),
    *(127, 510, 511, 512, 513),
)
# each scale is large in one way only: if all were large, all would be cut to medium sizes
SCALES: dict[str, ChoiceTable] = {
    "small": {},
    "channels": {"in_per_group": _WIDE, "out_per_group": _WIDE, "groups": _WIDE[1:], "extra_extent": (0, 0, 1, 1, 2, 3, 4)},
    "space": {"extra_extent": LONG, "in_per_group": (1, 2, 3, 4), "out_per_group": (1, 2, 3, 4)},
    "images": {"images": (2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 34, 64, 65), "extra_extent": (0, 0, 1, 1, 2, 3, 4, 15, 32)},
    "kernel": {
        "kernel": (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129),
        "low": (0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 16, 17, 18),
        "extra_extent": (0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15),
        "in_per_group": (1, 1, 2),
        "out_per_group": (1, 1, 2),
    },
    "vast": {
        "images": (2, 3, 1249, 1250, 1251, 1252, 65535, 65536, 65537, 65538),
        "out_per_group": (1, 2, 3, 65535, 65536, 65537, 65538),
        "in_per_group": (1, 1, 2),
        "kernel": (1, 1, 2, 3),
        "extra_extent": (0, 0, 1, 1, 2),
    },
    "layers": {
        "in_per_group": _WIDE,
        "out_per_group": _WIDE,
        "groups": _WIDE[1:],
        "extra_extent": LONG,
        "kernel": (1, 2, 3, 3, 4, 5, 7),
        "dilation": (1, 2, 2, 2, 4, 8, 16, 32),
        "low": (0, 1, 1, 1, 2, 2, 3, 4, 8, 16, 32),
    },
}

# the numbers that a spec has: the name in a menu, and how many of them
_COUNTS: dict[str, Callable[[Shape, Kind], int]] = {
    "images": lambda shape, kind: shape.batch == "many",
    "groups": lambda shape, kind: shape.grouping != "one",
    "in_per_group": lambda shape, kind: shape.grouping != "depthwise",
    "out_per_group": lambda shape, kind: 1,
    "kernel": lambda shape, kind: shape.ndim,
    "stride": lambda shape, kind: shape.ndim * kind.strided,
    "dilation": lambda shape, kind: shape.ndim * kind.dilated,
    "low": lambda shape, kind: shape.ndim * (kind.padding in ("even", "uneven")),
    "high": lambda shape, kind: shape.ndim * (kind.padding == "uneven"),
    "extra": lambda shape, kind: shape.ndim * kind.output_padding,
    "extra_extent": lambda shape, kind: shape.ndim,
    "input_dilation": lambda shape, kind: shape.ndim * kind.input_dilated,
    "crop_low": lambda shape, kind: shape.ndim * (kind.padding == "negative"),
    "crop_high": lambda shape, kind: shape.ndim * (kind.padding == "negative"),
    "shortfall": lambda shape, kind: shape.ndim * kind.empty,
}

NUMBERS = frozenset(_COUNTS)


def menu(scope: Scope, grouping: str, scale: str) -> ChoiceTable:
    """Return the table of each number, restricted to what `scope` allows."""
    choices = _SMALL | SCALES[scale]
    for name in ("kernel", "stride", "dilation"):
        if getattr(scope, name):
            choices[name] = tuple(sorted(getattr(scope, name)))
    for name, most in zip(("in_per_group", "out_per_group"), scope.channels, strict=True):
        choices[name] = tuple(c for c in choices[name] if c <= (most or c))
    if grouping == "some":  # one input channel per group would be depthwise; a scope that does not allow two refuses
        choices["in_per_group"] = tuple(c for c in choices["in_per_group"] if c > 1) or (2,)
    return choices


def raw_numbers(pick: Pick, draft: Draft) -> Raw:
    """Pick one entry of the menu for each number, field by field.

    Field by field shrinks no worse than axis by axis (2026-11-21, 10 conditions, 12 seeds each: one axis in
    112 of 120 against 115), provided that the words are drawn before the numbers: drawn after, it was 101.
    """
    counts = {name: count(draft.shape, draft.kind) for name, count in _COUNTS.items()}
    return {name: [pick(name, draft.menu[name], axis) for axis in range(count)] for name, count in counts.items()}
