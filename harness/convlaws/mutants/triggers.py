"""Triggers: the conditions that a problem must meet for a mutant's mistake to show, one row each.

A mutant names its triggers; where one of them does not hold it gives the right answer. So its description is exact,
and how hard it is to find follows from its triggers before any search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from convlaws.mutants.operands import channels_last, least, overflows, repeats, spread_out, threads
from convlaws.problem.features import grouping_kind, padding_kind
from convlaws.problem.formats import FORMATS
from convlaws.problem.spec import ConvSpec

Arrays = Mapping[str, np.ndarray]
Holds = Callable[[ConvSpec, str, Arrays], bool]


@dataclass(frozen=True)
class Trigger:
    """A condition on one call.

    `weight` says how rare it is: 1 for a feature of one problem in a few, 2 for one in tens or for a condition on the
    numbers, 3 for exact sizes and large ones. A call consists of its spec, its op, its operands with their memory.
    """

    word: str
    weight: int
    says: str
    holds: Holds


def _some(test: Callable[[ConvSpec, int], bool]) -> Holds:
    """The test holds on at least one spatial axis."""
    return lambda s, op, a: any(test(s, axis) for axis in range(s.ndim))


def _numbers(test: Callable[[np.ndarray], np.ndarray]) -> Holds:
    """The test holds for at least one element of an operand."""

    def holds(s: ConvSpec, op: str, a: Arrays) -> bool:
        with np.errstate(all="ignore"):
            return any(bool(test(v.astype(np.float64)).any()) for v in a.values())

    return holds


def _dtype_of(a: Arrays) -> str:
    return next(iter(a.values())).dtype.name


def _dtype(*names: str) -> Holds:
    return lambda s, op, a: _dtype_of(a) in names


def _subnormal(s: ConvSpec, op: str, a: Arrays) -> bool:
    least = FORMATS[_dtype_of(a)].normal
    return _numbers(lambda v: (v != 0) & (np.abs(v) < least))(s, op, a)


def _columns(s: ConvSpec) -> int:
    return s.in_channels // s.groups


def _named(s: ConvSpec, *words: str) -> bool:
    return s.padding in words


def _over(count: int, block: int) -> bool:
    """True if `count` is more than a block and no multiple of it."""
    return count > block and count % block > 0


def _past(word: str, of: str, count: Callable[[ConvSpec], int]) -> tuple[Trigger, ...]:
    """Triggers for the remainder after blocks of 4, 8, 16 and 32."""
    weights = {4: 1, 8: 2, 16: 3, 32: 3}
    return tuple(
        Trigger(f"{word}-{n}", weight, f"{of} past a multiple of {n}", lambda s, op, a, n=n: _over(count(s), n))  # type: ignore[misc]
        for n, weight in weights.items()
    )


_ROWS = (
    # --- features of the spec ------------------------------------------------------------
    Trigger("1d", 1, "one spatial axis", lambda s, op, a: s.ndim == 1),
    Trigger("2d", 1, "two spatial axes", lambda s, op, a: s.ndim == 2),
    Trigger("3d", 1, "three spatial axes", lambda s, op, a: s.ndim == 3),
    Trigger("strided", 1, "a stride above 1", lambda s, op, a: max(s.stride) > 1),
    Trigger("dilated", 1, "a dilation above 1", lambda s, op, a: max(s.dilation) > 1),
    Trigger("padded", 1, "padding", lambda s, op, a: any(map(any, s.sides))),
    Trigger("same", 1, "padding='same'", lambda s, op, a: s.padding == "same"),
    Trigger("grouped", 1, "more than one group", lambda s, op, a: s.groups > 1),
    Trigger("transposed", 1, "a transposed convolution", lambda s, op, a: s.transposed),
    Trigger("bias", 1, "a bias", lambda s, op, a: s.bias),
    Trigger("pointwise", 1, "a kernel of one tap", lambda s, op, a: max(s.kernel) == 1),
    Trigger("even-kernel", 1, "an even kernel", lambda s, op, a: any(r % 2 == 0 for r in s.kernel)),
    Trigger("images", 1, "more than one image", lambda s, op, a: (s.batch or 0) > 1),
    Trigger("depthwise", 2, "each input channel a group of its own", lambda s, op, a: grouping_kind(s) == "depthwise"),
    Trigger("uneven-padding", 2, "other padding low than high", lambda s, op, a: padding_kind(s) == "uneven"),
    Trigger("output-padding", 2, "output padding", lambda s, op, a: any(s.output_padding)),
    Trigger("unbatched", 2, "no batch axis", lambda s, op, a: s.batch is None),
    Trigger("empty-batch", 2, "no image", lambda s, op, a: s.batch == 0),
    Trigger("padding-mode", 1, "padding by copies", lambda s, op, a: s.padding_mode != "zeros"),
    Trigger("reflect", 2, "reflecting padding", lambda s, op, a: s.padding_mode == "reflect"),
    Trigger("circular", 2, "circular padding", lambda s, op, a: s.padding_mode == "circular"),
    Trigger("replicate", 2, "replicating padding", lambda s, op, a: s.padding_mode == "replicate"),
    Trigger("taps", 1, "a kernel of more than one tap", lambda s, op, a: max(s.kernel) > 1),
    Trigger("unstrided", 1, "no stride", lambda s, op, a: max(s.stride) == 1),
    Trigger("kernel-3", 2, "a kernel of 3 on every axis", lambda s, op, a: set(s.kernel) == {3}),
    Trigger(
        "same-size", 2, "padding to as many results as the stride leaves", lambda s, op, a: _named(s, "sameupper", "samelower")
    ),
    Trigger("same-lower", 2, "the same, the odd element low", lambda s, op, a: _named(s, "samelower")),
    Trigger("negative-padding", 2, "padding that crops", lambda s, op, a: min(map(min, s.sides)) < 0),
    Trigger("input-dilated", 2, "zeros between the elements of the input", lambda s, op, a: max(s.input_dilation) > 1),
    Trigger("empty-result", 2, "no result along an axis", lambda s, op, a: 0 in s.output),
    Trigger("several-channels", 1, "more than one input channel a group", lambda s, op, a: _columns(s) > 1),
    Trigger("several-outputs", 1, "more than one output channel a group", lambda s, op, a: s.out_channels > s.groups),
    Trigger("one-image", 1, "an image alone, in a batch or not", lambda s, op, a: s.images == 1),
    Trigger("3-groups", 1, "3 or more groups", lambda s, op, a: s.groups >= 3),
    # --- relations between sizes -----------------------------------------------------------
    Trigger("multiplier", 1, "other channels out than in", lambda s, op, a: s.out_channels != s.in_channels),
    Trigger("anisotropic", 1, "axes that differ in their parameters", lambda s, op, a: _anisotropic(s)),
    Trigger("unequal-kernel", 1, "another kernel on each axis", lambda s, op, a: len(set(s.kernel)) > 1),
    Trigger("unequal-stride", 1, "another stride on each axis", lambda s, op, a: len(set(s.stride)) > 1),
    Trigger("unequal-dilation", 1, "another dilation on each axis", lambda s, op, a: len(set(s.dilation)) > 1),
    Trigger("unequal-padding", 1, "another padding on each axis", lambda s, op, a: len(set(s.sides)) > 1),
    Trigger("stride-over-kernel", 2, "a stride larger than the kernel", _some(lambda s, i: s.stride[i] > s.kernel[i])),
    Trigger("stride-over-extent", 2, "a stride larger than the input", _some(lambda s, i: s.stride[i] > s.extent[i])),
    Trigger("stride-3", 1, "a stride above 2", lambda s, op, a: max(s.stride) > 2),
    Trigger("padding-2", 1, "two or more padded elements on a side", _some(lambda s, i: max(s.sides[i]) > 1)),
    Trigger("padding-6", 2, "six or more padded elements on a side", _some(lambda s, i: max(s.sides[i]) > 5)),
    Trigger("padding-over-kernel", 2, "padding as large as the kernel", _some(lambda s, i: max(s.sides[i]) >= s.kernel[i])),
    Trigger("padding-over-extent", 2, "padding larger than the input", _some(lambda s, i: max(s.sides[i]) > s.extent[i])),
    Trigger("kernel-over-extent", 2, "a kernel larger than the input", _some(lambda s, i: s.reach[i] > s.extent[i])),
    Trigger("kernel-is-extent", 2, "a kernel of the input's size", lambda s, op, a: s.reach == s.extent),
    Trigger("unused-tail", 1, "elements at the end that no window reaches", lambda s, op, a: max(s.unused) > 0),
    Trigger("unused-2", 2, "two or more such elements", lambda s, op, a: max(s.unused) > 1),
    Trigger(
        "output-padding-over-stride",
        2,
        "output padding up to the dilation",
        _some(lambda s, i: s.output_padding[i] >= s.stride[i]),
    ),
    Trigger("one-result", 1, "one result along an axis", _some(lambda s, i: s.output[i] == 1)),
    Trigger("single-result", 2, "one result a channel", lambda s, op, a: prod(s.output) == 1),
    Trigger("odd-width", 1, "an odd width", lambda s, op, a: s.extent[-1] % 2 == 1),
    Trigger("odd-results", 1, "an odd number of results a row", lambda s, op, a: s.output[-1] % 2 == 1),
    Trigger("odd-images", 1, "an odd number of images above one", lambda s, op, a: s.images > 1 and s.images % 2 == 1),
    Trigger("lone-channel", 1, "one input channel", lambda s, op, a: s.in_channels == 1),
    Trigger("3x3", 2, "a dense kernel of 3x3 with stride 1", lambda s, op, a: _is_3x3(s)),
    Trigger("one-place", 2, "one image of one place", lambda s, op, a: s.images * prod(s.output) == 1),
    Trigger("same-sizes", 2, "an output of the input's shape", lambda s, op, a: s.y_shape == s.x_shape),
    # --- exact and large sizes ---------------------------------------------------------------
    *_past("channel-tail", "channels a group", _columns),
    *_past("out-tail", "output channels", lambda s: s.out_channels),
    *_past("width-tail", "results a row", lambda s: s.output[-1]),
    Trigger("input-tail-4", 1, "input channels past a multiple of 4", lambda s, op, a: _over(s.in_channels, 4)),
    Trigger("area-tail-4", 1, "results an image past a multiple of 4", lambda s, op, a: _over(prod(s.output), 4)),
    Trigger("kernel-tail-4", 2, "taps a row past a multiple of 4", lambda s, op, a: _over(s.kernel[-1], 4)),
    Trigger("image-tail-4", 2, "images past a multiple of 4", lambda s, op, a: _over(s.images, 4)),
    Trigger("image-tail-32", 3, "images past a multiple of 32", lambda s, op, a: _over(s.images, 32)),
    Trigger(
        "channel-17",
        3,
        "channels a group, one past a multiple of 16",
        lambda s, op, a: _columns(s) > 16 and _columns(s) % 16 == 1,
    ),
    Trigger("width-9", 3, "results a row, one past a multiple of 8", lambda s, op, a: s.output[-1] > 8 and s.output[-1] % 8 == 1),
    Trigger("eights", 2, "channels in and out in multiples of 8", lambda s, op, a: not (s.in_channels % 8 or s.out_channels % 8)),
    Trigger("wide", 2, "rows of 32 or more", lambda s, op, a: s.extent[-1] >= 32),
    Trigger("very-wide", 3, "rows of more than 512", lambda s, op, a: s.extent[-1] > 512),
    Trigger("very-long-rows", 3, "more than 512 results a row", lambda s, op, a: s.output[-1] > 512),
    Trigger("eight-channels", 2, "8 or more channels a group", lambda s, op, a: _columns(s) >= 8),
    Trigger("many-channels", 2, "16 or more channels", lambda s, op, a: s.in_channels >= 16),
    Trigger("very-many-channels", 3, "more than 64 channels", lambda s, op, a: s.in_channels > 64),
    Trigger("very-many-outputs", 3, "more than 64 output channels", lambda s, op, a: s.out_channels > 64),
    Trigger("few-channels", 1, "fewer than 4 channels a group", lambda s, op, a: _columns(s) < 4),
    Trigger("many-groups", 2, "5 or more groups", lambda s, op, a: s.groups >= 5),
    Trigger("many-images", 3, "32 or more images", lambda s, op, a: (s.batch or 0) >= 32),
    Trigger("large-kernel", 2, "8 or more taps on an axis", lambda s, op, a: max(s.kernel) >= 8),
    Trigger("very-large-kernel", 3, "16 or more taps on an axis", lambda s, op, a: max(s.kernel) >= 16),
    Trigger("many-results", 2, "1,024 or more results an image", lambda s, op, a: s.out_channels * prod(s.output) >= 1024),
    Trigger("many-terms", 2, "64 or more products a result", lambda s, op, a: _columns(s) * prod(s.kernel) >= 64),
    Trigger("very-many-terms", 3, "512 or more products a result", lambda s, op, a: _columns(s) * prod(s.kernel) >= 512),
    # --- the numbers and their memory ----------------------------------------------------------
    Trigger("float64", 1, "float64", _dtype("float64")),
    Trigger("float32", 1, "float32", _dtype("float32")),
    Trigger("half", 1, "float16 or bfloat16", _dtype("float16", "bfloat16")),
    Trigger("nan", 2, "a NaN among the operands", _numbers(np.isnan)),
    Trigger("inf", 2, "an infinity among the operands", _numbers(np.isinf)),
    Trigger("zero", 1, "a zero among the operands", _numbers(lambda v: v == 0)),
    Trigger("minus-zero", 2, "a zero of sign -", _numbers(lambda v: (v == 0) & np.signbit(v))),
    Trigger("whole-numbers", 1, "whole numbers only", lambda s, op, a: not _numbers(lambda v: v != np.rint(v))(s, op, a)),
    Trigger(
        "small-numbers", 2, "a product under the smallest normal number", lambda s, op, a: least(a) < FORMATS[_dtype_of(a)].normal
    ),
    Trigger("tiny-products", 2, "a product under 1e-6", lambda s, op, a: least(a) < 1e-6),
    Trigger("large-numbers", 2, "products that sum to more than the largest number", lambda s, op, a: overflows(a)),
    Trigger("subnormal", 2, "a subnormal number among the operands", _subnormal),
    Trigger("gaps", 1, "an operand that is not contiguous", lambda s, op, a: any(not v.flags.c_contiguous for v in a.values())),
    Trigger(
        "channels-last", 2, "an operand with its channels last in memory", lambda s, op, a: any(map(channels_last, a.values()))
    ),
    Trigger("stride-0", 2, "an operand that repeats its memory", lambda s, op, a: any(map(repeats, a.values()))),
    Trigger("sliced", 2, "an operand with gaps between its elements", lambda s, op, a: any(map(spread_out, a.values()))),
    Trigger("misaligned", 2, "an operand off a 64-byte boundary", lambda s, op, a: any(v.ctypes.data % 64 for v in a.values())),
    # --- what a single call does not show ---------------------------------------------------------
    Trigger("earlier-call", 1, "an earlier call in the same process", lambda s, op, a: True),
    Trigger("same-sizes-before", 3, "an earlier call of these sizes that differs in something else", lambda s, op, a: True),
    Trigger("threads", 2, "more than one thread", lambda s, op, a: threads() > 1),
    Trigger("second-derivative", 1, "a double backward", lambda s, op, a: True),
)
TRIGGERS = {row.word: row for row in _ROWS}


def _anisotropic(s: ConvSpec) -> bool:
    return any(len(set(values)) > 1 for values in (s.kernel, s.stride, s.dilation, s.sides))


def _is_3x3(s: ConvSpec) -> bool:
    return s.ndim == 2 and set(s.kernel) == {3} and {*s.stride, *s.dilation} == {1}
