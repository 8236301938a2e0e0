"""Build a spec from picked numbers.

Every choice of entries gives a valid spec of the wanted kind: the room that the kernel needs is
computed first, and the extent is this room plus a picked number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from convlaws.problem.features import features
from convlaws.problem.problem import Problem
from convlaws.problem.spec import ConvSpec
from convlaws.problem.spec_text import PADDING_WORDS, Sides
from convlaws.strategies.tables import Draft, Kind, Raw

_FITTING = ("same", "sameupper", "samelower")  # words that pad enough for one result, if the input is not empty
# the padding for an entry of crop_low or crop_high: mostly negative (cropped), some of it positive
_CROPS = (0, -1, -2, 1, -3, 2)


class AxisDraft(NamedTuple):
    """The numbers that determine the extent of an axis. `shortfall`: by how much the kernel reaches over the padded input."""

    reach: int
    stride: int
    between: int
    side: tuple[int, int]
    extra: int
    shortfall: int
    extra_extent: int


def spec_of(draft: Draft, raw: Raw) -> ConvSpec:
    """Return the spec that these numbers make of a draft."""
    shape, kind, bias, menu = draft
    groups = (raw["groups"] or [1])[0]
    above = {name: _one_above(1, raw[name], menu[name]) for name in ("stride", "dilation", "input_dilation")}
    padding, axes = _padding(draft, raw), _axes(draft, raw, above)
    if kind.padding == "negative":
        padding = tuple((_low(axis), axis.side[1]) for axis in axes)
    return ConvSpec(
        batch={"unbatched": None, "empty": 0, "one": 1}.get(shape.batch, (raw["images"] or [1])[0]),
        in_channels=groups * (raw["in_per_group"] or [1])[0],
        out_channels=groups * raw["out_per_group"][0],
        extent=tuple(_extent(kind, axis) for axis in axes),
        kernel=tuple(raw["kernel"]),
        padding=padding,
        groups=groups,
        bias=bias,
        padding_mode=kind.padding_mode,
        transposed=kind.transposed,
        output_padding=tuple(axis.extra for axis in axes) if kind.output_padding else (),
        **above,
    )


def beyond_room(spec: ConvSpec) -> list[int]:
    """Return by how much each extent exceeds the least that the other numbers need; the spec must have results."""
    traits: dict[str, Any] = features(Problem(spec=spec))
    kind = Kind(**{name: traits[name] for name in Kind._fields})
    extra, none = spec.output_padding or (0,) * spec.ndim, (0,) * spec.ndim
    columns = (spec.reach, spec.stride, spec.input_dilation, _sides(spec.padding, spec.reach), extra, none, none)
    return [n - _room(kind, AxisDraft(*axis)) for n, axis in zip(spec.extent, zip(*columns, strict=True), strict=True)]


def _axes(draft: Draft, raw: Raw, above: dict[str, tuple[int, ...]]) -> list[AxisDraft]:
    ones, none = (1,) * draft.shape.ndim, (0,) * draft.shape.ndim
    stride, dilation, between = (above[name] or ones for name in ("stride", "dilation", "input_dilation"))
    reach = tuple(d * (r - 1) + 1 for d, r in zip(dilation, raw["kernel"], strict=True))
    extra = _output_padding(raw, stride, dilation) or none
    shortfall = _one_above(0, raw["shortfall"], draft.menu["shortfall"]) or none
    columns = (reach, stride, between, _sides(_padding(draft, raw), reach), extra, shortfall, raw["extra_extent"])
    return [AxisDraft(*numbers) for numbers in zip(*columns, strict=True)]


def _sides(padding: Sides | str, reach: tuple[int, ...]) -> Sides:
    """Return the padding in numbers; for words that depend on the extent, as much as one result needs."""
    if isinstance(padding, str):
        return tuple((0, 0) if padding == "valid" else ((r - 1) // 2, r // 2) for r in reach)
    return padding


def _one_above(least: int, values: list[int], table: Sequence[int]) -> tuple[int, ...]:
    """Return the values, with the last one raised if none is above `least`."""
    if not values or max(values) > least:
        return tuple(values)
    return (*values[:-1], next((t for t in table if t > least), least + 1))


def _padding(draft: Draft, raw: Raw) -> Sides | str:
    shape, kind, _, menu = draft
    if kind.padding in PADDING_WORDS:
        return kind.padding
    if kind.padding == "none":
        return ((0, 0),) * shape.ndim
    if kind.padding == "even":
        return tuple((p, p) for p in _one_above(0, raw["low"], menu["low"]))
    if kind.padding == "negative":
        return _crops(raw)
    low, high = raw["low"], raw["high"]
    return tuple(zip(low, high if low != high else (*high[:-1], high[-1] + 1), strict=True))


def _crops(raw: Raw) -> Sides:
    """Return padding with at least one negative side."""
    sides = [(_CROPS[low], _CROPS[high]) for low, high in zip(raw["crop_low"], raw["crop_high"], strict=True)]
    if min(map(min, sides)) >= 0:
        sides[-1] = (-1, sides[-1][1])
    return tuple(sides)


def _output_padding(raw: Raw, stride: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    room = [max(s, d) - 1 for s, d in zip(stride, dilation, strict=True)]
    extra = [min(e, r) for e, r in zip(raw["extra"], room, strict=False)]
    if extra and not any(extra):
        axis = max(range(len(room)), key=room.__getitem__)
        extra[axis] = min(1, room[axis])
    return tuple(extra)


def _extent(kind: Kind, axis: AxisDraft) -> int:
    """Return the extent of an axis: its room plus `extra_extent`, or less than the kernel needs if there is a shortfall."""
    if axis.shortfall and kind.padding != "negative":
        left = 0 if kind.padding in _FITTING else max(0, axis.reach - axis.shortfall) - sum(axis.side)
        return (left - 1) // axis.between + 1 if left > 0 else 0
    return _room(kind, axis) + axis.extra_extent


def _low(axis: AxisDraft) -> int:
    """Return the low padding of a cropped axis: with a shortfall, as much more is cropped."""
    if not axis.shortfall:
        return axis.side[0]
    spaced = axis.between * (_cropped_room(axis) + axis.extra_extent - 1) + 1
    return max(0, axis.reach - axis.shortfall) - spaced - axis.side[1]


def _room(kind: Kind, axis: AxisDraft) -> int:
    """Return the least extent of an axis for which y is not empty and the padding has enough elements to copy or crop."""
    low, high = axis.side
    if kind.transposed:
        return max(1, 1 - (axis.reach + axis.extra - low - high - 1) // axis.stride)
    copied = {"reflect": max(low, high) + 1, "circular": max(low, high)}.get(kind.padding_mode, 1)
    return max(copied, _cropped_room(axis))


def _cropped_room(axis: AxisDraft) -> int:
    """Return the least extent for which the kernel fits and cropping leaves at least one element."""
    low, high = axis.side
    cropped = max(0, -low) + max(0, -high)
    spaced = max(1, axis.reach - low - high, cropped + axis.between if cropped else 1)
    return -(-(spaced - 1) // axis.between) + 1
