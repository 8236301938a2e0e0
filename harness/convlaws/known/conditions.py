"""Conditions for known findings that no field of a scope can express."""

from __future__ import annotations

from collections.abc import Callable

from convlaws.problem.problem import Problem


def _unseen(p: Problem) -> list[list[bool]]:
    """For each axis and tap: True if the tap overlaps the input at no position of the kernel."""
    spec = p.spec
    extents, positions = (spec.output, spec.extent) if spec.transposed else (spec.spaced, spec.output)
    sizes = (positions, spec.kernel, spec.stride, spec.dilation, spec.sides)
    elements = (range(0, n, between) for n, between in zip(extents, spec.input_dilation, strict=True))
    return [
        [not any(o * stride + t * dilation - low in there for o in range(count)) for t in range(taps)]
        for there, count, taps, stride, dilation, (low, _) in zip(elements, *sizes, strict=True)
    ]


def _fewer_results_than_dilation(p: Problem) -> bool:
    """True if one of the dilation² sub-images of a dilated convolution of stride 1 has no result."""
    return any(n < d for n, d in zip(p.spec.output, p.spec.dilation, strict=True))


def _a_rest_of_the_stride(p: Problem) -> bool:
    """True if the input (transposed: the output) has elements after the last position of the kernel."""
    return any(p.spec.output_padding if p.spec.transposed else p.spec.unused)


def _in_a_row(sizes: tuple[int, ...]) -> bool:
    return sorted(sizes)[-1] == 9 and set(sorted(sizes)[:-1]) <= {1}


def _one_place_and_more(p: Problem) -> bool:
    """True if an undilated axis of more than one tap has one result, and input after the kernel."""
    spec = p.spec
    axes = zip(spec.padded, spec.output, spec.kernel, spec.dilation, strict=True)
    return any(count == dilation == 1 < taps < there for there, count, taps, dilation in axes)


def _dark_last_axis(p: Problem) -> bool:
    """True if, of all axes, only the last has no tap that overlaps the input, at several positions, strided and dilated."""
    spec = p.spec
    places = spec.extent if spec.transposed else spec.output
    *before, last = map(all, _unseen(p))
    return last and not any(before) and min(places[-1], spec.stride[-1], spec.dilation[-1]) > 1


def _dark_first_axis(p: Problem) -> bool:
    """True if an axis before the last has no tap over the input, although no axis is padded by the kernel's reach or more."""
    spec = p.spec
    axes = zip(spec.sides, spec.reach, spec.unused, strict=True)
    near = all(low <= reach and high - unused < reach for (low, high), reach, unused in axes)
    return near and any(map(all, _unseen(p)[:-1]))


def _one_place(p: Problem) -> list[bool]:
    """For each axis: True if it has several taps but one position of the kernel, and a stride above 1 (without effect)."""
    spec = p.spec
    places = spec.extent if spec.transposed else spec.output
    return [n == 1 < min(s, r) for n, s, r in zip(places, spec.stride, spec.kernel, strict=True)]


def _one_frame(p: Problem) -> bool:
    """True if a group reads one channel (transposed: writes one) of size 1 on the first axis, with several taps there."""
    spec = p.spec
    channels, there = (spec.out_channels, spec.output) if spec.transposed else (spec.in_channels, spec.extent)
    return channels == spec.groups and there[0] == 1 < spec.kernel[0]


def _long_depthwise_rows(p: Problem) -> bool:
    """True if depthwise in 2 to 16 groups, undilated, with a last axis of stride 1 and at least 15 taps at 31 positions."""
    spec = p.spec
    places = spec.extent if spec.transposed else spec.output
    depthwise = {spec.in_channels, spec.out_channels} == {spec.groups} and 1 < spec.groups <= 16
    return depthwise and {*spec.dilation, spec.stride[-1]} == {1} and spec.kernel[-1] >= 15 and places[-1] >= 31


def _products_of_32(p: Problem) -> bool:
    """A group sums an even number of channels below 16, whose products with an undilated last axis's taps are 64, 96, 128, ..."""
    spec = p.spec
    channels = (spec.out_channels if spec.transposed else spec.in_channels) // spec.groups
    products = channels * spec.kernel[-1]
    return channels < 16 and channels % 2 == 0 == products % 32 and products > 32 and spec.dilation[-1] == 1


CONDITIONS: dict[str, Callable[[Problem], bool]] = {
    "a tap sees only padding": lambda p: any(map(any, _unseen(p))),
    "no tap sees the input": lambda p: any(map(all, _unseen(p))),
    "no tap sees the input on the last axis alone, strided and dilated": _dark_last_axis,
    "no tap sees the input on an axis before the last, within reach": _dark_first_axis,
    "one place of several taps on a strided last axis": lambda p: _one_place(p)[-1],
    "one place of several taps on a strided axis": lambda p: any(_one_place(p)),
    "one channel a group, one element under several taps of the first axis": _one_frame,
    "64 or more products in a row, a multiple of 32, of an even number of channels below 16": _products_of_32,
    "a rest of the stride on the first axis": lambda p: p.spec.unused[0] > 0 and p.spec.kernel[0] > 1,
    "15 taps at 31 places in a row, of up to 16 channels each alone": _long_depthwise_rows,
    "one input channel a group": lambda p: p.spec.in_channels == p.spec.groups,
    "at most 4 input channels a group": lambda p: p.spec.in_channels <= 4 * p.spec.groups,
    "fewer results than the dilation": _fewer_results_than_dilation,
    "groups of more than one channel": lambda p: {p.spec.in_channels, p.spec.out_channels} != {p.spec.groups},
    "padding beyond the kernel": lambda p: any(max(s) >= r for s, r in zip(p.spec.sides, p.spec.reach, strict=True)),
    "nine taps in a row": lambda p: _in_a_row(p.spec.kernel),
    "a reach of nine in a row": lambda p: _in_a_row(p.spec.reach),
    "a rest of the stride": _a_rest_of_the_stride,
    "one result on an undilated axis, and input behind it": _one_place_and_more,
    "padding that the kernel does not reach across": lambda p: any(
        low >= reach for (low, _), reach in zip(p.spec.sides, p.spec.reach, strict=True)
    ),
    "fewer than 8 input channels a group": lambda p: p.spec.in_channels < 8 * p.spec.groups,
    "rows of one strided result": lambda p: p.spec.output[-1] == 1 and p.spec.stride[-1] > 1,
    "a dilated axis of one tap": lambda p: any(r == 1 and d > 1 for r, d in zip(p.spec.kernel, p.spec.dilation, strict=True)),
    "an output padding not below the stride": lambda p: any(
        o >= s for o, s in zip(p.spec.output_padding, p.spec.stride, strict=True)
    ),
    "one tap whose output padding makes up for the padding": lambda p: (
        {*p.spec.kernel, *p.spec.stride} == {1} and p.spec.output == p.spec.extent
    ),
    "an axis shorter than the kernel": lambda p: any(n < r for n, r in zip(p.spec.extent, p.spec.reach, strict=True)),
    "an axis shorter than the kernel, or padded by more than one": lambda p: any(
        n < r or max(sides) > 1 for n, r, sides in zip(p.spec.extent, p.spec.reach, p.spec.sides, strict=True)
    ),
    "a first axis shorter than the kernel, with several results": lambda p: (
        p.spec.extent[0] < p.spec.kernel[0] and p.spec.output[0] > 1
    ),
    # laws that compose or split ask for other convolutions, whose images are this problem's channels
    "16 images or channels": lambda p: max(p.spec.images, p.spec.in_channels, p.spec.out_channels) >= 16,
}
