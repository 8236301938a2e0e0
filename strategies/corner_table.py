"""The corners that are told by a sentence of their own: (family, sentence, predicate, wish)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from convlaws.features import features
from convlaws.fills import terms
from convlaws.problem import Problem
from convlaws.strategies.axes import Axis, axes, multiplier
from convlaws.strategies.wishes import Wish

Holds = Callable[[Problem], bool]


class Corner(NamedTuple):
    """`holds` says whether a problem lies in it, `wish` is what a draw asks for to get there."""

    family: str
    says: str
    holds: Holds
    wish: Wish

    @property
    def name(self) -> str:
        """Family and sentence."""
        return f"{self.family}: {self.says}"


def some(test: Callable[[Axis], bool]) -> Holds:
    """Whether some axis of a problem passes."""
    return lambda p: any(map(test, axes(p)))


def kind(**values: object) -> Holds:
    """Whether the features of a problem have these values."""
    return lambda p: features(p).items() >= values.items()


def both(*tests: Holds) -> Holds:
    """Whether a problem passes all."""
    return lambda p: all(test(p) for test in tests)


def _lacks(p: Problem) -> bool:
    return 0 in p.spec.output


def _channels(p: Problem) -> int:
    return p.spec.in_channels * p.spec.out_channels


def _ratio(p: Problem) -> float:
    return p.spec.out_channels / p.spec.in_channels


FORWARD: Wish = {"transposed": False, "empty": False}
PLAIN: Wish = {**FORWARD, "padding": "none", "strided": False, "dilated": False, "input_dilated": False}
ONE: Wish = {"grouping": "one"}
SOME: Wish = {"grouping": "some"}
DEPTHWISE: Wish = {"grouping": "depthwise"}
STRIDED: Wish = {**FORWARD, "strided": True, "input_dilated": False}
TURNED: Wish = {"transposed": True, "empty": False}
UNEVEN: Wish = {**FORWARD, "padding": "uneven", "scale": "small"}
EVEN: Wish = {**FORWARD, "padding": "even"}
CROPPED: Wish = {**FORWARD, "padding": "negative"}
SPREAD: Wish = {**FORWARD, "input_dilated": True}
TAILED: Wish = {**STRIDED, "padding": "none", "ndim": 1}

ROWS: tuple[tuple[str, str, Holds, Wish], ...] = (
    # kernel against input
    ("kernel", "reaches over the unpadded input", some(lambda a: not a.transposed and a.reach > a.x > 0), EVEN),
    ("kernel", "as large as the input", some(lambda a: a.r == a.x > 1 and a.low == a.high == 0), {**PLAIN, "beyond": 0}),
    ("kernel", "one larger than the input", some(lambda a: a.reach == a.x + a.low + a.high + 1 > 1), {"empty": True}),
    ("kernel", "even", some(lambda a: a.r % 2 == 0), {}),
    ("kernel", "even, padding 'same'", lambda p: p.spec.padding == "same" and any(a.reach % 2 == 0 for a in axes(p)), {}),
    ("kernel", "of 8 to 16", some(lambda a: 8 <= a.r <= 16), {"scale": "kernel"}),
    ("kernel", "(1, k)", lambda p: p.spec.ndim == 2 and p.spec.kernel[0] == 1 < p.spec.kernel[1], {"ndim": 2, "kernel": [1, 3]}),
    ("kernel", "(k, 1)", lambda p: p.spec.ndim == 2 and p.spec.kernel[1] == 1 < p.spec.kernel[0], {"ndim": 2, "kernel": [3, 1]}),
    (
        "kernel",
        "of one tap, plain",
        both(kind(**PLAIN, grouping="one"), lambda p: set(p.spec.kernel) == {1}),
        {**PLAIN, **ONE, "kernel": 1},
    ),
    (
        "kernel",
        "3x3, plain",
        both(kind(**PLAIN, grouping="one"), lambda p: p.spec.kernel == (3, 3)),
        {**PLAIN, **ONE, "ndim": 2, "kernel": 3},
    ),
    (
        "kernel",
        "3x3, padding 1",
        lambda p: p.spec.kernel == (3, 3) and set(p.spec.sides) == {(1, 1)},
        {**EVEN, "ndim": 2, "kernel": 3, "low": 1},
    ),
    # stride
    ("stride", "beyond the kernel", some(lambda a: a.s > a.reach), {}),
    ("stride", "beyond the input", some(lambda a: a.s > a.padded > 0), STRIDED),
    ("stride", "2, kernel of one tap", some(lambda a: a.r == 1 and a.s == 2), {**STRIDED, "kernel": 1, "stride": 2}),
    (
        "stride",
        "4, kernel of 2",
        some(lambda a: a.r == 2 and a.s == 4 and a.d == 1),
        {**STRIDED, "kernel": 2, "stride": 4, "dilated": False},
    ),
    ("stride", "does not divide the kernel", some(lambda a: 1 < a.s < a.r and a.r % a.s), {}),
    ("stride", "2, odd width", some(lambda a: a.s == 2 and a.x % 2), {}),
    ("stride", "leaves a tail of 1", some(lambda a: a.tail == 1), {}),
    ("stride", "leaves a tail of 2", some(lambda a: a.tail == 2), {**TAILED, "stride": 3}),
    ("stride", "leaves a tail of 3", some(lambda a: a.tail == 3), {**TAILED, "stride": 4, "beyond": 3}),
    ("stride", "leaves a tail, input gradient", lambda p: p.op == "dgrad" and any(a.tail for a in axes(p)), {}),
    ("stride", "leaves a tail, weight gradient", lambda p: p.op == "wgrad" and any(a.tail for a in axes(p)), {}),
    ("stride", "leaves a tail of one tap", some(lambda a: a.tail and a.r == 1), {**TAILED, "kernel": 1}),
    ("stride", "unequal", lambda p: len(set(p.spec.stride)) > 1, {}),
    ("stride", "and dilation", some(lambda a: a.d > 1 < a.s), {}),
    ("stride", "3 over dilation 2", some(lambda a: a.s == 3 and a.d == 2), {}),
    # dilation
    ("dilation", "of one tap", some(lambda a: a.r == 1 < a.d), {}),
    (
        "dilation",
        "of one tap on every axis",
        lambda p: set(p.spec.kernel) == {1} and max(p.spec.dilation) > 1,
        {"dilated": True, "kernel": 1},
    ),
    ("dilation", "unequal", lambda p: len(set(p.spec.dilation)) > 1, {}),
    ("dilation", "of an even kernel", some(lambda a: a.d > 1 and a.r % 2 == 0), {}),
    ("dilation", "of a depthwise kernel", both(kind(grouping="depthwise"), some(lambda a: a.d > 1 < a.r)), {}),
    # padding
    ("padding", "beyond the kernel", some(lambda a: max(a.low, a.high) > a.reach), {}),
    ("padding", "1 around one tap", some(lambda a: a.r == 1 and a.low == a.high == 1), {**EVEN, "kernel": 1, "low": 1}),
    ("padding", "2 around one tap", some(lambda a: a.r == 1 and a.low == a.high == 2), {**EVEN, "kernel": 1, "low": 2}),
    ("padding", "full: one less than the kernel", some(lambda a: a.low == a.high == a.reach - 1 > 0), {}),
    ("padding", "beyond the input", some(lambda a: max(a.low, a.high) > a.x > 0), {}),
    ("padding", "unequal on two axes", lambda p: len(set(p.spec.sides)) > 1, {}),
    ("padding", "(0, 1)", some(lambda a: (a.low, a.high) == (0, 1)), {**UNEVEN, "low": 0, "high": 1}),
    ("padding", "(1, 0)", some(lambda a: (a.low, a.high) == (1, 0)), {**UNEVEN, "low": 1, "high": 0}),
    ("padding", "(0, 2)", some(lambda a: (a.low, a.high) == (0, 2)), {**UNEVEN, "low": 0, "high": 2}),
    ("padding", "odd in all, by 'same'", lambda p: p.spec.padding == "same" and any(a.low != a.high for a in axes(p)), {}),
    (
        "padding",
        "(0, 1), stride 2, kernel 3",
        some(lambda a: (a.low, a.high, a.s, a.r) == (0, 1, 2, 3)),
        {**UNEVEN, "low": 0, "high": 1, "strided": True, "stride": 2, "kernel": 3, "ndim": 1},
    ),
    ("padding", "reflected, uneven", kind(padding_mode="reflect", padding="uneven"), {}),
    (
        "padding",
        "circular over the whole input",
        lambda p: p.spec.padding_mode == "circular" and any(max(a.low, a.high) == a.x for a in axes(p)),
        {},
    ),
    (
        "padding",
        "circular on one axis",
        lambda p: p.spec.padding_mode == "circular" and (0, 0) in p.spec.sides != ((0, 0),) * p.spec.ndim,
        {},
    ),
    (
        "padding",
        "17, extent of a multiple of 16",
        some(lambda a: a.low == 17 and a.x % 16 == 0 < a.x),
        {
            **EVEN,
            "ndim": 1,
            "scale": "kernel",
            "low": 17,
            "kernel": 17,
            "beyond": 15,
            "strided": False,
            "dilated": False,
            "padding_mode": "zeros",
        },
    ),
    # extents
    ("extent", "width 1, height over 1", lambda p: p.spec.ndim == 2 and p.spec.extent[0] > 1 == p.spec.extent[1], {}),
    ("extent", "height 1, width over 1", lambda p: p.spec.ndim == 2 and p.spec.extent[1] > 1 == p.spec.extent[0], {}),
    ("extent", "unequal", lambda p: len(set(p.spec.extent)) > 1, {}),
    ("extent", "one result", lambda p: set(p.spec.output) == {1}, {}),
    ("extent", "over 500 results", lambda p: max(p.spec.output) > 500, {}),
    ("extent", "all one, several channels", lambda p: set(p.spec.extent) == {1} and p.spec.in_channels > 1, {}),
    ("extent", "prime of 11 or more", some(lambda a: a.x in (11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)), {}),
    *(
        (
            "extent",
            f"{off:+d} beside a multiple of {b}",
            some(lambda a, b=b, off=off: a.x > 1 and (a.x - off) % b == 0 < a.x - off),
            {},
        )
        for b in (4, 6, 16)
        for off in (-1, 0, 1)
    ),
    # batch
    ("batch", "none", kind(batch="empty"), {}),
    ("batch", "one", kind(batch="one"), {}),
    ("batch", "no axis", kind(batch="unbatched"), {}),
    # channels and groups
    ("channels", "in and out differ", lambda p: p.spec.in_channels != p.spec.out_channels, {}),
    ("channels", "prime of 11 or more", lambda p: p.spec.in_channels in (11, 13, 17, 23, 31), {}),
    ("channels", "one to 16 or more", lambda p: p.spec.in_channels == 1 and p.spec.out_channels >= 16, {}),
    ("channels", "16 or more to one", lambda p: p.spec.out_channels == 1 and p.spec.in_channels >= 16, {}),
    ("channels", "large, tiny image", lambda p: _channels(p) >= 256 and max(p.spec.extent) <= 2, {}),
    ("channels", "one, large image", lambda p: p.spec.in_channels == 1 and max(p.spec.extent) >= 48, {}),
    ("channels", "8 a group or a multiple", lambda p: p.spec.in_channels // p.spec.groups % 8 == 0, {}),
    ("channels", "one, channels_last", lambda p: p.layout == "channels_last" and p.spec.in_channels == 1, {}),
    ("groups", "fewer than 4 channels each", lambda p: p.spec.groups > 1 and 1 < p.spec.in_channels // p.spec.groups < 4, {}),
    ("groups", "twice as many out as in", lambda p: kind(grouping="some")(p) and _ratio(p) == 2, {}),
    ("groups", "half as many out as in", lambda p: kind(grouping="some")(p) and _ratio(p) == 0.5, {}),
    ("groups", "out and in at another ratio", lambda p: kind(grouping="some")(p) and _ratio(p) not in (0.5, 1, 2), {}),
    ("groups", "one result each", lambda p: kind(grouping="some")(p) and p.spec.out_channels == p.spec.groups, {}),
    ("groups", "3, of unequal sizes", lambda p: p.spec.groups == 3 and p.spec.in_channels not in (3, p.spec.out_channels), {}),
    ("groups", "8 or more", lambda p: kind(grouping="some")(p) and p.spec.groups >= 8, {}),
    *(
        ("groups", f"depthwise, multiplier {m}", lambda p, m=m: multiplier(p) == m, {**DEPTHWISE, "outward": m})
        for m in (1, 2, 3, 4)
    ),
    ("groups", "depthwise of 16 or more", lambda p: bool(multiplier(p)) and p.spec.groups >= 16, {}),
    *(
        (
            "groups",
            f"depthwise of {g}",
            lambda p, g=g: bool(multiplier(p)) and p.spec.groups == g,
            {**DEPTHWISE, "scale": "channels", "groups": g},
        )
        for g in (7, 8, 9, 16, 17, 24, 32, 33)
    ),
    ("groups", "depthwise, strided, weight gradient", both(kind(ops="wgrad", grouping="depthwise", strided=True)), {}),
    ("groups", "strided, input gradient", lambda p: p.op == "dgrad" and p.spec.groups > 1 and max(p.spec.stride) > 1, {}),
    ("groups", "strided, three axes", lambda p: p.spec.ndim == 3 and p.spec.groups > 1 and max(p.spec.stride) > 1, {}),
    # transposed
    ("transposed", "grouped", lambda p: p.spec.transposed and p.spec.groups > 1, {}),
    ("transposed", "strided, uneven padding", kind(transposed=True, strided=True, padding="uneven"), {}),
    ("transposed", "output padding between stride and dilation", some(lambda a: a.s <= a.extra < a.d and a.extra > 0), {}),
    ("transposed", "output padding at stride 1", some(lambda a: a.extra > 0 and a.s == 1), {}),
    ("transposed", "output padding, unequal", lambda p: len(set(p.spec.output_padding)) > 1, {}),
    (
        "transposed",
        "one tap, stride 2",
        both(kind(transposed=True), some(lambda a: a.r == 1 and a.s == 2)),
        {**TURNED, "strided": True, "kernel": 1, "stride": 2},
    ),
    (
        "transposed",
        "padding beyond the kernel",
        both(kind(transposed=True), some(lambda a: a.low > a.reach)),
        {**TURNED, "padding": "even", "kernel": 1, "low": 3},
    ),
    ("transposed", "stride beyond the kernel", both(kind(transposed=True), some(lambda a: a.s > a.reach)), {}),
    ("transposed", "strided and dilated", kind(transposed=True, strided=True, dilated=True), {}),
    *(
        ("transposed", f"of {n} axes, {op}", kind(transposed=True, ndim=n, ops=op), {**TURNED, "ndim": n, "op": op})
        for n in (1, 2, 3)
        for op in ("fprop", "dgrad", "wgrad")
    ),
    # beyond torch's ground
    ("cropped", "at both ends", some(lambda a: max(a.low, a.high) < 0), {}),
    ("cropped", "at the low end only", some(lambda a: a.low < 0 == a.high), {}),
    ("cropped", "at the high end only", some(lambda a: a.low == 0 > a.high), {}),
    ("cropped", "at one end, padded at the other", some(lambda a: min(a.low, a.high) < 0 < max(a.low, a.high)), {}),
    ("cropped", "low, padded high by no more", some(lambda a: a.low < 0 < a.high <= -a.low), {}),
    ("cropped", "to one element", some(lambda a: a.padded == 1 < a.x), {}),
    ("cropped", "to nothing", some(lambda a: a.padded == 0 < a.x), {**CROPPED, "empty": True}),
    ("cropped", "and strided", kind(padding="negative", strided=True), {}),
    ("cropped", "and dilated", kind(padding="negative", dilated=True), {}),
    (
        "cropped",
        "to begin with a zero between",
        some(lambda a: a.i > 1 and a.low < 0 and a.low % a.i != 0),
        {**CROPPED, "input_dilated": True},
    ),
    ("spread", "by 3 or more", some(lambda a: a.i >= 3), {}),
    ("spread", "unequally", lambda p: len(set(p.spec.input_dilation)) > 1, {}),
    ("spread", "of one element", some(lambda a: a.i > 1 == a.x), {}),
    ("spread", "by the stride", some(lambda a: 1 < a.i == a.s), {}),
    ("spread", "with stride and dilation", kind(input_dilated=True, strided=True, dilated=True), {}),
    ("spread", "and padded", kind(input_dilated=True, padding="even"), {}),
    ("spread", "and grouped", lambda p: max(p.spec.input_dilation) > 1 and p.spec.groups > 1, {}),
    (
        "words",
        "sameupper, the odd one high",
        lambda p: p.spec.padding == "sameupper" and any(a.low < a.high for a in axes(p)),
        {},
    ),
    ("words", "samelower, the odd one low", lambda p: p.spec.padding == "samelower" and any(a.low > a.high for a in axes(p)), {}),
    (
        "words",
        "sameupper, stride beyond the kernel",
        lambda p: p.spec.padding == "sameupper" and any(a.tail for a in axes(p)),
        {**STRIDED, "padding": "sameupper", "kernel": 1},
    ),
    (
        "words",
        "sameupper, stride beyond the input",
        lambda p: p.spec.padding == "sameupper" and any(a.s > a.x > 0 for a in axes(p)),
        {**STRIDED, "padding": "sameupper"},
    ),
    ("words", "sameupper, strided and dilated", kind(padding="sameupper", strided=True, dilated=True), {}),
    ("empty", "input", lambda p: 0 in p.spec.extent, {}),
    ("empty", "input, padded to a result", some(lambda a: a.x == 0 < a.y), {**FORWARD, "empty": True, "padding": "even"}),
    ("empty", "result of an input", lambda p: _lacks(p) and 0 not in p.spec.extent, {}),
    ("empty", "result, padded", lambda p: _lacks(p) and features(p)["padding"] in ("even", "uneven"), {}),
    (
        "empty",
        "on one axis of three",
        lambda p: p.spec.ndim == 3 and p.spec.output.count(0) == 1,
        {"ndim": 3, "empty": True, "transposed": False},
    ),
    (
        "empty",
        "batch of empty results",
        lambda p: p.spec.batch == 0 and _lacks(p),
        {"batch": "empty", "empty": True, "transposed": False},
    ),
    ("empty", "operand of a weight gradient", lambda p: p.op == "wgrad" and _lacks(p), {}),
    # values
    (
        "values",
        "over 256 ones in bfloat16",
        lambda p: p.fill == "ones" and p.dtype == "bfloat16" and terms(p.spec, p.op) > 256,
        {"fill": "ones", "dtype": "bfloat16", **ONE, "scale": "channels", "inward": 65, "kernel": 4},
    ),
    (
        "values",
        "over 2048 ones in float16",
        lambda p: p.fill == "ones" and p.dtype == "float16" and terms(p.spec, p.op) > 2048,
        {
            "fill": "ones",
            "dtype": "float16",
            "op": "wgrad",
            "scale": "images",
            "images": 65,
            "beyond": 32,
            "ndim": 1,
            "transposed": False,
            "input_dilated": False,
            "strided": False,
            "padding": "none",
            "outward": 1,
        },
    ),
    ("values", "a strided weight gradient in float16", kind(ops="wgrad", dtypes="float16", strided=True), {}),
)
