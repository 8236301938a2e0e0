"""Corners: conditions at which bugs of real libraries began, each with a predicate and, if chance rarely reaches it, a hint.

The numbers are those at which about two hundred documented bugs began, and their neighbours. Problems of more
than 2^17 elements are over the budget: overflows of 2^31 elements cannot be tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from convlaws.problem.axes import Axis, axes, multiplier
from convlaws.problem.problem import Problem
from convlaws.strategies.corner_table import ROWS, Holds
from convlaws.strategies.hints import Hint


class Corner(NamedTuple):
    """`holds` is True for a problem in the corner; `hint` makes a draw reach it, or is empty if chance reaches it."""

    family: str
    says: str
    holds: Holds
    hint: Hint

    @property
    def name(self) -> str:
        """The family and the description."""
        return f"{self.family}: {self.says}"


_PLAIN: Hint = {"transposed": False, "empty": False, "padding": "none", "strided": False, "input_dilated": False, "ndim": 1}
_LONG: Hint = {**_PLAIN, "dilated": False, "kernel": 1, "scale": "space"}
_VAST: Hint = {**_PLAIN, "dilated": False, "kernel": 1, "scale": "vast", "grouping": "one", "in_per_group": 1, "extra_extent": 0}
_MOST_IMAGES: Hint = {**_VAST, "batch": "many", "out_per_group": 1}
_WIDE: Hint = {"grouping": "one", "scale": "channels"}
_DEEP: Hint = {"grouping": "depthwise", "scale": "channels"}
_MANY: Hint = {"batch": "many", "scale": "images"}
_TAPS: Hint = {"ndim": 1, "scale": "kernel", "empty": False}
_PADDED: Hint = {**_TAPS, "transposed": False, "padding": "even"}
_EMPTY: Hint = {"transposed": False, "empty": True}

# hints for those of ROWS that fewer than 8 of 2,000 draws reach by chance
WISHES: dict[str, Hint] = {
    "kernel: 3x3, plain": {**_PLAIN, "ndim": 2, "dilated": False, "kernel": 3, "grouping": "one"},
    "kernel: 3x3, padding 1": {"ndim": 2, "kernel": 3, "padding": "even", "low": 1, "empty": False, "dilated": False},
    "padding: (0, 1), stride 2, kernel 3": {
        **{"ndim": 1, "padding": "uneven", "low": 0, "high": 1, "transposed": False, "empty": False},
        **{"strided": True, "stride": 2, "kernel": 3},
    },
    "padding: 17, extent a multiple of 16": {
        **_PADDED,
        **{"low": 17, "kernel": 17, "extra_extent": 15, "dilated": False, "strided": False, "padding_mode": "zeros"},
    },
    "channels: 16 or more to one": {**_WIDE, "out_per_group": 1, "in_per_group": 24},
    "groups: depthwise of 16 or more": {**_DEEP, "groups": 18},
    "cropped: to nothing": {**_EMPTY, "padding": "negative"},
    "empty: input, padded to a result": {**_EMPTY, "padding": "even", "ndim": 2},
    "empty: on one axis of three": {**_EMPTY, "ndim": 3},
    "empty: batch of empty results": {**_EMPTY, "batch": "empty"},
    "values: over 256 ones in bfloat16": {**_WIDE, "fill": "ones", "dtype": "bfloat16", "in_per_group": 65, "kernel": 4},
    "values: over 2048 ones in float16": {
        **{**_WIDE, "fill": "ones", "dtype": "float16", "op": "fprop", "transposed": False, "empty": False, "dilated": False},
        **{"batch": "one", "ndim": 3, "kernel": 5, "in_per_group": 24, "out_per_group": 1, "extra_extent": 0},
    },
}


class Threshold(NamedTuple):
    """A family of corners, one per number; those from `rare` on have a hint."""

    family: str
    says: str
    numbers: tuple[int, ...]
    reached: Callable[[Problem, int], bool]
    hint: Callable[[int], Hint]
    rare: int = 0


def _on_an_axis(test: Callable[[Axis, int], bool]) -> Callable[[Problem, int], bool]:
    return lambda p, n: any(test(axis, n) for axis in axes(p))


def _wish(hint: Hint, name: str) -> Callable[[int], Hint]:
    return lambda n: {**hint, name: n}


NEVER = 10**6
_CHANNELS = (*range(1, 11), 15, 16, 17, 18, *range(22, 27), 31, 32, 33, 34, 63, 64, 65)
_EXTENTS = (*range(1, 14), 15, 16, 17, 18, 23, 24, 25, 31, 32, 33, 47, 48, 63, 64, 65, 511, 512, 513, 514)
_KERNELS = (*range(1, 10), 11, 13, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129)
_HUGE = (65535, 65536, 65537, 65538)


def _out(p: Problem, n: int) -> bool:
    return p.spec.out_channels == n


def _images(p: Problem, n: int) -> bool:
    return p.spec.batch == n


def _long(n: int) -> Hint:
    return {**_LONG, "extra_extent": n - 1}


_BY_CHANCE = _wish({}, "")
THRESHOLDS = (
    Threshold("channels", "{} in", _CHANNELS, lambda p, n: p.spec.in_channels == n, _wish(_WIDE, "in_per_group"), 15),
    Threshold("channels", "{} out", _CHANNELS, _out, _wish(_WIDE, "out_per_group"), 15),
    Threshold("channels", "{} out", _HUGE, _out, _wish({**_VAST, "batch": "one"}, "out_per_group")),
    Threshold("batch", "{} images", (2, 3, 15, 16, 17, 31, 32, 33, 34), _images, _wish(_MANY, "images"), 15),
    Threshold(
        "batch",
        "{} images",
        (1249, 1250, 1251, 1252, *_HUGE),
        _images,
        _wish(_MOST_IMAGES, "images"),
    ),
    Threshold("extent", "{}", _EXTENTS, _on_an_axis(lambda a, n: a.x == n), _long, 47),
    Threshold("extent", "{} results", (511, 512, 513, 514), _on_an_axis(lambda a, n: a.y == n), _long),
    Threshold("kernel", "{} wide", _KERNELS, _on_an_axis(lambda a, n: a.r == n), _wish(_TAPS, "kernel"), 15),
    Threshold(
        "padding",
        "{} at an end",
        (*range(1, 9), 16, 17, 18),
        _on_an_axis(lambda a, n: n in (a.low, a.high)),
        _wish(_PADDED, "low"),
        8,
    ),
    Threshold("stride", "{}", (2, 3, 4, 5), _on_an_axis(lambda a, n: a.s == n), _BY_CHANCE, NEVER),
    Threshold("dilation", "{}", (2, 3, 4), _on_an_axis(lambda a, n: a.d == n and a.r > 1), _BY_CHANCE, NEVER),
    Threshold("dilation", "{}, stride 2", (2, 3, 4), _on_an_axis(lambda a, n: a.d == n and a.s == 2), _BY_CHANCE, NEVER),
    Threshold(
        "groups",
        "depthwise of {}",
        (7, 8, 9, 16, 17, 24, 32, 33),
        lambda p, n: multiplier(p) > 0 and p.spec.groups == n,
        _wish(_DEEP, "groups"),
    ),
)


def _of(threshold: Threshold) -> Iterator[Corner]:
    family, says, numbers, reached, hint, rare = threshold
    for n in numbers:
        yield Corner(family, says.format(n), partial(_at, reached, n), hint(n) if n >= rare else {})


def _at(reached: Callable[[Problem, int], bool], n: int, p: Problem) -> bool:
    return reached(p, n)


@lru_cache(maxsize=1)
def corners() -> tuple[Corner, ...]:
    """Return every corner."""
    rows = [(family, says, holds) for family, some in ROWS.items() for says, holds in some.items()]
    told = (Corner(*row, WISHES.get(f"{row[0]}: {row[1]}", {})) for row in rows)
    return (*(corner for threshold in THRESHOLDS for corner in _of(threshold)), *told)
