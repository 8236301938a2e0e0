"""The rules that sizes must meet to be a convolution: one function per rule, checked in order."""

from __future__ import annotations

from convlaws.errors import SpecError
from convlaws.problem.spec_text import PADDING_WORDS, line

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def reject(spec) -> None:
    """Raise SpecError for the first rule that `spec` breaks; the message names axis and numbers."""
    for rule in RULES:
        if sentence := rule(spec):
            raise SpecError(f"{sentence}, in {line(spec)}")


def _axes_agree(spec):
    if not 1 <= len(spec.extent) <= 3:
        return f"the extent has {len(spec.extent)} axes, a convolution has 1 to 3"
    for name in ("kernel", "stride", "dilation", "input_dilation", "padding", "output_padding"):
        value = getattr(spec, name)
        if not isinstance(value, str) and len(value) != len(spec.extent):
            return f"{name} has {len(value)} axes, the extent has {len(spec.extent)}"
    return None


def _in_range(spec):
    for name in ("in_channels", "out_channels", "groups"):
        if getattr(spec, name) < 1:
            return f"{name} is {getattr(spec, name)}, the least is 1"
    if spec.batch is not None and spec.batch < 0:
        return f"batch is {spec.batch}, the least is 0"
    # without an input a transposed convolution would have a negative number of results
    leasts = {"extent": int(spec.transposed), "kernel": 1, "stride": 1, "dilation": 1, "input_dilation": 1, "output_padding": 0}
    for name, least in leasts.items():
        for axis, value in enumerate(getattr(spec, name)):
            if value < least:
                return f"axis {axis}: {name} is {value}, the least is {least}"
    return None


def _groups_divide(spec):
    for name in ("in_channels", "out_channels"):
        if getattr(spec, name) % spec.groups:
            return f"groups={spec.groups} does not divide {name}={getattr(spec, name)}"
    return None


def _padding_is_known(spec):
    if spec.padding_mode not in PADDING_MODES:
        return f"padding mode {spec.padding_mode!r} is none of {', '.join(PADDING_MODES)}"
    if isinstance(spec.padding, str):
        return _word_has_a_meaning(spec)
    kind = "a transposed convolution" if spec.transposed else f"{spec.padding_mode} padding"
    for axis, side in enumerate(spec.padding):
        if min(side) < 0 and (spec.transposed or spec.padding_mode != "zeros"):
            return f"axis {axis}: padding is {min(side)}, the least of {kind} is 0"
    return None


def _word_has_a_meaning(spec):
    if spec.padding not in PADDING_WORDS:
        return f"padding {spec.padding!r} is none of {', '.join(PADDING_WORDS)}"
    if spec.transposed:
        return f"padding {spec.padding!r} has no meaning for a transposed convolution"
    if spec.padding in ("sameupper", "samelower") and spec.padding_mode != "zeros":
        return f"padding {spec.padding!r} is made of zeros, not {spec.padding_mode}"
    for axis, stride in enumerate(spec.stride):
        if spec.padding == "same" and stride != 1:
            return f"axis {axis}: padding 'same' needs stride 1, this has {stride}"
    return None


def _input_dilation_fits(spec):
    for axis, value in enumerate(spec.input_dilation):
        said = f"axis {axis}: input_dilation is {value}"
        if value > 1 and spec.transposed:
            return f"{said}, but the stride of a transposed convolution is that already"
        if value > 1 and isinstance(spec.padding, str):
            return f"{said}, which needs its padding in numbers, not {spec.padding!r}"
        if value > 1 and spec.padding_mode != "zeros":
            return f"{said}, which goes with zeros around it, not {spec.padding_mode}"
    return None


def _mode_has_room(spec):
    if spec.transposed and spec.padding_mode != "zeros":
        return f"a transposed convolution pads with zeros, not {spec.padding_mode}"
    room = {"reflect": -1, "circular": 0}.get(spec.padding_mode)
    for axis, (side, extent) in enumerate(zip(spec.sides, spec.extent, strict=True)):
        if not extent and spec.padding_mode != "zeros":
            return f"axis {axis}: {spec.padding_mode} padding has nothing to copy, as the extent is 0"
        if room is not None and max(side) > extent + room:
            return f"axis {axis}: {spec.padding_mode} padding {max(side)} is over {extent + room}, as the extent is {extent}"
    return None


def _output_padding_fits(spec):
    for axis, (extra, stride, dilation) in enumerate(zip(spec.output_padding, spec.stride, spec.dilation, strict=True)):
        if extra and not spec.transposed:
            return f"axis {axis}: output_padding is {extra}, but the convolution is not transposed"
        if extra >= max(stride, dilation) and extra:
            return f"axis {axis}: output_padding is {extra}, not below the larger of stride {stride} and dilation {dilation}"
    return None


def _something_is_left(spec):
    for axis, pad in enumerate(map(sum, spec.sides)):
        if spec.transposed and spec.output[axis] < 1:
            return f"axis {axis}: the padding takes {pad}, the output before it has {spec.output[axis] + pad}"
        if not spec.transposed and spec.spaced[axis] + pad < 0:
            return f"axis {axis}: the padding takes {-pad}, the input has {spec.spaced[axis]}"
    return None


def why_empty(spec) -> str | None:
    """Return which axis of x or y has no element, and why; None if all have some."""
    for axis, (extent, reach, room) in enumerate(zip(spec.extent, spec.reach, spec.padded, strict=True)):
        if not extent:
            return f"axis {axis}: the input has no elements"
        if not spec.output[axis]:
            return f"axis {axis}: the kernel reaches over {reach}, the padded input has {room}"
    return None


RULES = (
    _axes_agree,
    _in_range,
    _groups_divide,
    _padding_is_known,
    _input_dilation_fits,
    _mode_has_room,
    _output_padding_fits,
    _something_is_left,
)
