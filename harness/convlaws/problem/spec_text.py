"""Format a spec as one word of text, and parse it."""

from __future__ import annotations

import re

from convlaws.errors import LineError

Sides = tuple[tuple[int, int], ...]
PADDING_WORDS = ("same", "valid", "sameupper", "samelower")


def _by(values) -> str:
    return "x".join(map(str, values))


def _sides_text(padding) -> str:
    if isinstance(padding, str):
        return padding
    return _by(low if low == high else f"{low}:{high}" for low, high in padding)


def line(spec) -> str:
    """Return the text of a spec, one word."""
    lead = "u" if spec.batch is None else f"n{spec.batch}"
    parts = [
        f"{lead}c{spec.in_channels}k{spec.out_channels}",
        f"x{_by(spec.extent)}",
        f"r{_by(spec.kernel)}",
        f"s{_by(spec.stride)}",
        f"p{_sides_text(spec.padding)}",
        f"d{_by(spec.dilation)}",
    ]
    parts += [f"i{_by(spec.input_dilation)}"] * (max(spec.input_dilation, default=1) > 1)
    parts += [f"g{spec.groups}"]
    parts += ["b"] * spec.bias
    parts += [f"m{spec.padding_mode}"] * (spec.padding_mode != "zeros")
    parts += [f"t{_by(spec.output_padding)}"] * spec.transposed
    return "_".join(parts)


_HEAD = re.compile(r"(?:u|n(-?\d+))c(-?\d+)k(-?\d+)")
_FIELDS = {
    "x": "extent",
    "r": "kernel",
    "s": "stride",
    "d": "dilation",
    "i": "input_dilation",
    "t": "output_padding",
}


def _numbers(text: str, where: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split("x"))
    except ValueError:
        raise LineError(f"{where!r} should hold numbers with 'x' between them") from None


def _sides(text: str, where: str) -> Sides | str:
    if text in PADDING_WORDS:
        return text
    sides = []
    for part in text.split("x"):
        low, colon, high = part.partition(":")
        below, above = _numbers(f"{low}x{high if colon else low}", where)
        sides.append((below, above))
    return tuple(sides)


def _field(part: str) -> dict:
    letter, rest = part[:1], part[1:]
    if part == "b":
        return {"bias": True}
    if letter == "m":
        return {"padding_mode": rest}
    if letter == "g":
        return {"groups": _numbers(rest, part)[0]}
    if letter == "p":
        return {"padding": _sides(rest, part)}
    if letter not in _FIELDS:
        raise LineError(f"{part!r} begins with none of x r s p d i g b m t")
    field = {_FIELDS[letter]: _numbers(rest, part)}
    return {"transposed": True, **field} if letter == "t" else field


def fields_of(text: str) -> dict:
    """Parse the fields of a spec's text.

    Raises:
        LineError: it is not such a text.
    """
    head, *parts = text.strip().split("_")
    match = _HEAD.fullmatch(head)
    if not match:
        raise LineError(f"{text!r} does not begin like n1c4k6 or, without a batch axis, uc4k6")
    batch, channels, out = match.groups()
    fields: dict = {
        "batch": None if batch is None else int(batch),
        "in_channels": int(channels),
        "out_channels": int(out),
    }
    for part in parts:
        new = _field(part)
        if twice := fields.keys() & new.keys():
            raise LineError(f"{text!r} gives {', '.join(sorted(twice))} twice")
        fields |= new
    if missing := {"extent", "kernel"} - fields.keys():
        raise LineError(f"{text!r} has no {' and no '.join(sorted(missing))}")
    return fields
