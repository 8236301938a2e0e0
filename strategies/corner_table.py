"""The corners with a description of their own: by family, each description with its predicate."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from convlaws.problem.axes import Axis, axes, multiplier
from convlaws.problem.features import features
from convlaws.problem.fills import terms
from convlaws.problem.problem import Problem

Holds = Callable[[Problem], bool]


def some(test: Callable[[Axis], bool]) -> Holds:
    """Return a predicate: some axis of the problem passes `test`."""
    return lambda p: any(map(test, axes(p)))


def kind(**values: object) -> Holds:
    """Return a predicate: the features of the problem have these values."""
    return lambda p: features(p).items() >= values.items()


def both(*tests: Holds) -> Holds:
    """Return a predicate: the problem passes all tests."""
    return lambda p: all(test(p) for test in tests)


def _lacks(p: Problem) -> bool:
    return 0 in p.spec.output


def _ratio(p: Problem) -> float:
    return p.spec.out_channels / p.spec.in_channels


_PRIMES = (11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)
_PLAIN = kind(transposed=False, padding="none", strided=False, dilated=False, input_dilated=False, empty=False, grouping="one")
_SOME, _TURNED = kind(grouping="some"), kind(transposed=True)


def _by(low: int, high: int) -> Holds:
    """Return a predicate: some axis has this padding."""
    return some(lambda a: (a.low, a.high) == (low, high))


def _off(block: int, off: int) -> Holds:
    """Return a predicate: some extent is `off` from a multiple of `block`."""
    return some(lambda a: (a.x - off) % block == 0 < a.x - off)


def _area(rest: int) -> Holds:
    """Return a predicate: the output's area is `rest` over a multiple of 4."""
    return lambda p: prod(p.spec.output) % 4 == rest


def _multiplied(by: int) -> Holds:
    """Return a predicate: the convolution is depthwise with `by` output channels per input channel."""
    return lambda p: multiplier(p) == by


def _padded(word: str, test: Callable[[Axis], bool]) -> Holds:
    """Return a predicate: the padding or the padding mode is `word`, and some axis passes `test`."""
    return lambda p: word in (p.spec.padding, p.spec.padding_mode) and any(map(test, axes(p)))


ROWS: dict[str, dict[str, Holds]] = {
    "kernel": {
        "reaches over the unpadded input": some(lambda a: not a.transposed and a.reach > a.x > 0),
        "as large as the input": some(lambda a: a.r == a.x > 1 and a.low == a.high == 0),
        "one larger than the input": some(lambda a: a.reach == a.padded + 1 > 1),
        "even": some(lambda a: a.r % 2 == 0),
        "even, padding 'same'": _padded("same", lambda a: a.reach % 2 == 0),
        "of 8 to 16": some(lambda a: 8 <= a.r <= 16),
        "(1, k)": lambda p: p.spec.ndim == 2 and p.spec.kernel[0] == 1 < p.spec.kernel[1],
        "(k, 1)": lambda p: p.spec.ndim == 2 and p.spec.kernel[1] == 1 < p.spec.kernel[0],
        "of one tap, plain": both(_PLAIN, lambda p: set(p.spec.kernel) == {1}),
        "3x3, plain": both(_PLAIN, lambda p: p.spec.kernel == (3, 3)),
        "3x3, padding 1": lambda p: p.spec.kernel == (3, 3) and set(p.spec.sides) == {(1, 1)},
    },
    "stride": {
        "beyond the kernel": some(lambda a: a.s > a.reach),
        "beyond the input": some(lambda a: a.s > a.padded > 0),
        "2, kernel of one tap": some(lambda a: a.r == 1 and a.s == 2),
        "4, kernel of 2": some(lambda a: a.r == 2 and a.s == 4 and a.d == 1),
        "does not divide the kernel": some(lambda a: 1 < a.s < a.r and a.r % a.s > 0),
        "2, odd width": some(lambda a: a.s == 2 and a.x % 2 == 1),
        "leaves a tail of 1": some(lambda a: a.tail == 1),
        "leaves a tail of 2": some(lambda a: a.tail == 2),
        "leaves a tail of 3": some(lambda a: a.tail == 3),
        "leaves a tail, input gradient": both(kind(ops="dgrad"), some(lambda a: a.tail > 0)),
        "leaves a tail, weight gradient": both(kind(ops="wgrad"), some(lambda a: a.tail > 0)),
        "leaves a tail of one tap": some(lambda a: a.tail > 0 and a.r == 1),
        "unequal": lambda p: len(set(p.spec.stride)) > 1,
        "and dilation": some(lambda a: a.d > 1 < a.s),
        "3 over dilation 2": some(lambda a: a.s == 3 and a.d == 2),
    },
    "dilation": {
        "of one tap": some(lambda a: a.r == 1 < a.d),
        "of one tap on every axis": lambda p: set(p.spec.kernel) == {1} and max(p.spec.dilation) > 1,
        "unequal": lambda p: len(set(p.spec.dilation)) > 1,
        "of an even kernel": some(lambda a: a.d > 1 and a.r % 2 == 0),
        "of a depthwise kernel": both(kind(grouping="depthwise"), some(lambda a: a.d > 1 < a.r)),
    },
    "padding": {
        "beyond the kernel": some(lambda a: max(a.low, a.high) > a.reach),
        "1 around one tap": some(lambda a: a.r == 1 and a.low == a.high == 1),
        "2 around one tap": some(lambda a: a.r == 1 and a.low == a.high == 2),
        "full: one less than the kernel": some(lambda a: a.low == a.high == a.reach - 1 > 0),
        "beyond the input": some(lambda a: max(a.low, a.high) > a.x > 0),
        "unequal on two axes": lambda p: len(set(p.spec.sides)) > 1,
        **{f"({low}, {high})": _by(low, high) for low, high in ((0, 1), (1, 0), (0, 2))},
        "odd in all, by 'same'": _padded("same", lambda a: a.low != a.high),
        "(0, 1), stride 2, kernel 3": some(lambda a: (a.low, a.high, a.s, a.r) == (0, 1, 2, 3)),
        "reflected, uneven": kind(padding_mode="reflect", padding="uneven"),
        "circular over the whole input": _padded("circular", lambda a: max(a.low, a.high) == a.x),
        "circular on one axis": both(_padded("circular", lambda a: a.low > 0), some(lambda a: a.low == a.high == 0)),
        "17, extent a multiple of 16": some(lambda a: a.low == 17 and a.x % 16 == 0 < a.x),
    },
    "extent": {
        "width 1, height over 1": lambda p: p.spec.ndim == 2 and p.spec.extent[0] > 1 == p.spec.extent[1],
        "height 1, width over 1": lambda p: p.spec.ndim == 2 and p.spec.extent[1] > 1 == p.spec.extent[0],
        "unequal": lambda p: len(set(p.spec.extent)) > 1,
        "one result": lambda p: set(p.spec.output) == {1},
        "over 500 results": some(lambda a: a.y > 500),
        "all one, several channels": lambda p: set(p.spec.extent) == {1} and p.spec.in_channels > 1,
        "prime of 11 or more": some(lambda a: a.x in _PRIMES),
        **{f"{off:+d} from a multiple of {block}": _off(block, off) for block in (4, 6, 16) for off in (-1, 0, 1)},
        **{f"output area {rest} over a multiple of 4": _area(rest) for rest in range(4)},
    },
    "batch": {
        "none": kind(batch="empty"),
        "one": kind(batch="one"),
        "no axis": kind(batch="unbatched"),
    },
    "channels": {
        "in and out differ": lambda p: p.spec.in_channels != p.spec.out_channels,
        "prime of 11 or more": lambda p: p.spec.in_channels in _PRIMES,
        "one to 16 or more": lambda p: p.spec.in_channels == 1 and p.spec.out_channels >= 16,
        "16 or more to one": lambda p: p.spec.out_channels == 1 and p.spec.in_channels >= 16,
        "large, tiny image": lambda p: p.spec.in_channels * p.spec.out_channels >= 256 and max(p.spec.extent) <= 2,
        "one, large image": lambda p: p.spec.in_channels == 1 and max(p.spec.extent) >= 48,
        "a multiple of 8 a group": lambda p: p.spec.in_channels // p.spec.groups % 8 == 0,
        "one, channels_last": lambda p: p.layout == "channels_last" and p.spec.in_channels == 1,
    },
    "groups": {
        "2 or 3 channels each": lambda p: p.spec.groups > 1 and p.spec.in_channels // p.spec.groups in (2, 3),
        "twice as many out as in": both(_SOME, lambda p: _ratio(p) == 2),
        "half as many out as in": both(_SOME, lambda p: _ratio(p) == 0.5),
        "out and in at another ratio": both(_SOME, lambda p: _ratio(p) not in (0.5, 1, 2)),
        "one result each": both(_SOME, lambda p: p.spec.out_channels == p.spec.groups),
        "3, of unequal sizes": lambda p: p.spec.groups == 3 and p.spec.in_channels not in (3, p.spec.out_channels),
        "8 or more": both(_SOME, lambda p: p.spec.groups >= 8),
        **{f"depthwise, multiplier {m}": _multiplied(m) for m in (1, 2, 3, 4)},
        "depthwise of 16 or more": lambda p: multiplier(p) > 0 and p.spec.groups >= 16,
        "depthwise, strided, weight gradient": kind(ops="wgrad", grouping="depthwise", strided=True),
        "strided, input gradient": both(kind(ops="dgrad", strided=True), lambda p: p.spec.groups > 1),
        "strided, three axes": both(kind(ndim=3, strided=True), lambda p: p.spec.groups > 1),
    },
    "transposed": {
        "grouped": both(_TURNED, lambda p: p.spec.groups > 1),
        "strided, uneven padding": kind(transposed=True, strided=True, padding="uneven"),
        "output padding between stride and dilation": some(lambda a: a.extra > 0 and a.s <= a.extra < a.d),
        "output padding at stride 1": some(lambda a: a.extra > 0 and a.s == 1),
        "output padding, unequal": lambda p: len(set(p.spec.output_padding)) > 1,
        "one tap, stride 2": both(_TURNED, some(lambda a: a.r == 1 and a.s == 2)),
        "padding beyond the kernel": both(_TURNED, some(lambda a: a.low > a.reach)),
        "stride beyond the kernel": both(_TURNED, some(lambda a: a.s > a.reach)),
        "strided and dilated": kind(transposed=True, strided=True, dilated=True),
        **{f"of {n} axes, {op}": kind(transposed=True, ndim=n, ops=op) for n in (1, 2, 3) for op in ("fprop", "dgrad", "wgrad")},
    },
    "cropped": {
        "at both ends": some(lambda a: max(a.low, a.high) < 0),
        "at the low end only": some(lambda a: a.low < 0 == a.high),
        "at the high end only": some(lambda a: a.low == 0 > a.high),
        "at one end, padded at the other": some(lambda a: min(a.low, a.high) < 0 < max(a.low, a.high)),
        "low, padded high by no more": some(lambda a: a.low < 0 < a.high <= -a.low),
        "to one element": some(lambda a: a.padded == 1 < a.x),
        "to nothing": some(lambda a: a.padded == 0 < a.x),
        "and strided": kind(padding="negative", strided=True),
        "and dilated": kind(padding="negative", dilated=True),
        "to begin with a zero between": some(lambda a: a.i > 1 and a.low < 0 and a.low % a.i != 0),
    },
    "input dilation": {
        "of 3 or more": some(lambda a: a.i >= 3),
        "unequal": lambda p: len(set(p.spec.input_dilation)) > 1,
        "of one element": some(lambda a: a.i > 1 == a.x),
        "as large as the stride": some(lambda a: 1 < a.i == a.s),
        "with stride and dilation": kind(input_dilated=True, strided=True, dilated=True),
        "padded": kind(input_dilated=True, padding="even"),
        "grouped": both(kind(input_dilated=True), lambda p: p.spec.groups > 1),
    },
    "words": {
        "sameupper, the odd one high": _padded("sameupper", lambda a: a.low < a.high),
        "samelower, the odd one low": _padded("samelower", lambda a: a.low > a.high),
        "sameupper, stride beyond the kernel": _padded("sameupper", lambda a: a.tail > 0),
        "sameupper, stride beyond the input": _padded("sameupper", lambda a: a.s > a.x > 0),
        "sameupper, strided and dilated": kind(padding="sameupper", strided=True, dilated=True),
    },
    "empty": {
        "input": lambda p: 0 in p.spec.extent,
        "input, padded to a result": some(lambda a: a.x == 0 < a.y),
        "result of an input": lambda p: _lacks(p) and 0 not in p.spec.extent,
        "result, padded": lambda p: _lacks(p) and features(p)["padding"] in ("even", "uneven"),
        "on one axis of three": lambda p: p.spec.ndim == 3 and p.spec.output.count(0) == 1,
        "batch of empty results": lambda p: p.spec.batch == 0 and _lacks(p),
        "operand of a weight gradient": lambda p: p.op == "wgrad" and _lacks(p),
    },
    "values": {
        "over 256 ones in bfloat16": both(kind(fills="ones", dtypes="bfloat16"), lambda p: terms(p.spec, p.op) > 256),
        "over 2048 ones in float16": both(kind(fills="ones", dtypes="float16"), lambda p: terms(p.spec, p.op) > 2048),
        "a strided weight gradient in float16": kind(ops="wgrad", dtypes="float16", strided=True),
    },
}
