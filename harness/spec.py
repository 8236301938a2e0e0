"""ConvSpec: the sizes of a convolution, their arithmetic, and their text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod

from convlaws.errors import LineError, SpecError

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
Sides = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class ConvSpec:
    """One convolution to be computed: sizes only, no data and no dtype.

    A spatial field holds one number an axis; `ndim` is how many there are.
    `padding` holds (low, high) an axis, or 'same' or 'valid' as a framework is
    asked for it. `batch=None` is an input without a batch axis.

    Shapes:
        x  (batch, in_channels, *extent)
        w  (out_channels, in_channels // groups, *kernel)
           transposed: (in_channels, out_channels // groups, *kernel)
        b  (out_channels,)
        y  (batch, out_channels, *output)
           output = (extent + low + high - dilation (kernel - 1) - 1) // stride + 1
           transposed: (extent - 1) stride - low - high + dilation (kernel - 1) + 1 + output_padding

    Raises:
        SpecError: a field is out of its range, or y would be empty.

    >>> spec = ConvSpec(in_channels=4, out_channels=6, extent=(8, 5), kernel=(3, 3),
    ...                 stride=(2, 1), padding=((1, 1), (0, 0)), dilation=(1, 2), groups=2)
    >>> spec.output
    (4, 1)
    >>> str(spec)
    'n1c4k6_x8x5_r3x3_s2x1_p1x0_d1x2_g2'
    >>> ConvSpec.parse(str(spec)) == spec
    True
    """

    batch: int | None = 1
    in_channels: int = 1
    out_channels: int = 1
    extent: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: Sides | str = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    bias: bool = False
    padding_mode: str = "zeros"
    transposed: bool = False
    output_padding: tuple[int, ...] = ()

    def __post_init__(self):
        for name, default in (("stride", 1), ("dilation", 1), ("padding", (0, 0)), ("output_padding", 0)):
            if getattr(self, name) == ():
                object.__setattr__(self, name, (default,) * len(self.extent))
        reject(self)

    # --- sizes -----------------------------------------------------------
    @cached_property
    def ndim(self) -> int:
        """The number of spatial axes."""
        return len(self.extent)

    @cached_property
    def reach(self) -> tuple[int, ...]:
        """How far a dilated kernel extends: dilation (kernel - 1) + 1."""
        return tuple(d * (r - 1) + 1 for d, r in zip(self.dilation, self.kernel, strict=True))

    @cached_property
    def sides(self) -> Sides:
        """The padding as (low, high) an axis; 'same' puts the odd one high, as torch does."""
        if self.padding == "valid":
            return ((0, 0),) * self.ndim
        if self.padding == "same":
            return tuple(((r - 1) // 2, r - 1 - (r - 1) // 2) for r in self.reach)
        return self.padding  # type: ignore[return-value]

    @cached_property
    def output(self) -> tuple[int, ...]:
        """The spatial extents of y."""
        return tuple(self._output(axis) for axis in range(self.ndim))

    def _output(self, axis: int) -> int:
        extent, stride, reach = self.extent[axis], self.stride[axis], self.reach[axis]
        pad = sum(self.sides[axis])
        if self.transposed:
            return (extent - 1) * stride - pad + reach + self.output_padding[axis]
        return (extent + pad - reach) // stride + 1

    @cached_property
    def x_shape(self) -> tuple[int, ...]:
        """(batch, in_channels, *extent), without batch if there is none."""
        return (*self._lead, self.in_channels, *self.extent)

    @cached_property
    def y_shape(self) -> tuple[int, ...]:
        """(batch, out_channels, *output), without batch if there is none."""
        return (*self._lead, self.out_channels, *self.output)

    @cached_property
    def w_shape(self) -> tuple[int, ...]:
        """(out_channels, in_channels // groups, *kernel); transposed: in and out exchanged."""
        rows, columns = self.out_channels, self.in_channels
        if self.transposed:
            rows, columns = columns, rows
        return (rows, columns // self.groups, *self.kernel)

    @cached_property
    def b_shape(self) -> tuple[int, ...]:
        """(out_channels,)"""
        return (self.out_channels,)

    @cached_property
    def _lead(self) -> tuple[int, ...]:
        return () if self.batch is None else (self.batch,)

    @cached_property
    def images(self) -> int:
        """The batch as a number: 1 where there is no batch axis."""
        return 1 if self.batch is None else self.batch

    @cached_property
    def macs(self) -> int:
        """Multiply-adds of fprop, padding included."""
        positions = prod(self.extent) if self.transposed else prod(self.output)
        return self.images * positions * prod(self.w_shape)

    # --- text ------------------------------------------------------------
    def __str__(self) -> str:
        return _line(self)

    @staticmethod
    def parse(text: str) -> ConvSpec:
        """The spec that `text` prints.

        Raises:
            LineError: `text` is no spec. SpecError: it is one of an impossible convolution.
        """
        return _parse(text)

    def _repr_pretty_(self, printer, cycle):
        printer.text(f"ConvSpec.parse({str(self)!r})")


# --- validity: one row a rule, asked in order -----------------------------
def reject(spec: ConvSpec) -> None:
    """Raise SpecError for the first rule that `spec` breaks; axis and numbers are named."""
    for rule in RULES:
        if sentence := rule(spec):
            raise SpecError(f"{sentence}\n  in {_line(spec)}")


def _axes_agree(spec):
    if not 1 <= len(spec.extent) <= 3:
        return f"the extent has {len(spec.extent)} axes, a convolution has 1 to 3"
    for name in ("kernel", "stride", "dilation", "padding", "output_padding"):
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
    for name, least in (("extent", 1), ("kernel", 1), ("stride", 1), ("dilation", 1), ("output_padding", 0)):
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
        if spec.padding not in ("same", "valid"):
            return f"padding {spec.padding!r} is neither 'same' nor 'valid'"
        if spec.transposed:
            return f"padding {spec.padding!r} has no meaning for a transposed convolution"
        return _same_has_stride_one(spec)
    for axis, side in enumerate(spec.padding):
        if min(side) < 0:
            return f"axis {axis}: padding is {min(side)}, the least is 0"
    return None


def _same_has_stride_one(spec):
    for axis, stride in enumerate(spec.stride):
        if spec.padding == "same" and stride != 1:
            return f"axis {axis}: padding 'same' needs stride 1, this has {stride}"
    return None


def _mode_has_room(spec):
    if spec.transposed and spec.padding_mode != "zeros":
        return f"a transposed convolution pads with zeros, not {spec.padding_mode}"
    room = {"reflect": -1, "circular": 0}.get(spec.padding_mode)
    for axis, (side, extent) in enumerate(zip(spec.sides, spec.extent, strict=True)):
        if room is not None and max(side) > extent + room:
            return f"axis {axis}: {spec.padding_mode} padding {max(side)} is over {extent + room}, as the extent is {extent}"
    return None


def _output_padding_fits(spec):
    for axis, (extra, stride, dilation) in enumerate(
        zip(spec.output_padding, spec.stride, spec.dilation, strict=True)
    ):
        if extra and not spec.transposed:
            return f"axis {axis}: output_padding is {extra}, but the convolution is not transposed"
        if extra >= max(stride, dilation) and extra:
            return f"axis {axis}: output_padding is {extra}, not below the larger of stride {stride} and dilation {dilation}"
    return None


def _y_is_not_empty(spec):
    for axis in range(spec.ndim):
        if spec.transposed and spec.output[axis] < 1:
            grown = spec.output[axis] + sum(spec.sides[axis])
            return f"axis {axis}: the padding takes {sum(spec.sides[axis])}, the output before it has {grown}"
        room = spec.extent[axis] + sum(spec.sides[axis])
        if not spec.transposed and spec.reach[axis] > room:
            return f"axis {axis}: the kernel reaches over {spec.reach[axis]}, the padded input has {room}"
    return None


RULES = (
    _axes_agree,
    _in_range,
    _groups_divide,
    _padding_is_known,
    _mode_has_room,
    _output_padding_fits,
    _y_is_not_empty,
)


# --- the line --------------------------------------------------------------
def _by(values) -> str:
    return "x".join(map(str, values))


def _sides_text(padding) -> str:
    if isinstance(padding, str):
        return padding
    return _by(low if low == high else f"{low}:{high}" for low, high in padding)


def _line(spec: ConvSpec) -> str:
    lead = "u" if spec.batch is None else f"n{spec.batch}"
    parts = [
        f"{lead}c{spec.in_channels}k{spec.out_channels}",
        f"x{_by(spec.extent)}",
        f"r{_by(spec.kernel)}",
        f"s{_by(spec.stride)}",
        f"p{_sides_text(spec.padding)}",
        f"d{_by(spec.dilation)}",
        f"g{spec.groups}",
    ]
    parts += ["b"] * spec.bias
    parts += [f"m{spec.padding_mode}"] * (spec.padding_mode != "zeros")
    parts += [f"t{_by(spec.output_padding)}"] * spec.transposed
    return "_".join(parts)


_HEAD = re.compile(r"(?:u|n(-?\d+))c(-?\d+)k(-?\d+)")
_FIELDS = {"x": "extent", "r": "kernel", "s": "stride", "d": "dilation", "t": "output_padding"}


def _numbers(text: str, where: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split("x"))
    except ValueError:
        raise LineError(f"{where!r} should hold numbers with 'x' between them") from None


def _sides(text: str, where: str) -> Sides | str:
    if text in ("same", "valid"):
        return text
    sides = []
    for part in text.split("x"):
        low, _, high = part.partition(":")
        sides.append(_numbers(f"{low}x{high or low}", where))
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
        raise LineError(f"{part!r} begins with none of x r s p d g b m t")
    found = {_FIELDS[letter]: _numbers(rest, part)}
    return {"transposed": True, **found} if letter == "t" else found


@lru_cache(maxsize=4096)
def _parse(text: str) -> ConvSpec:
    head, *parts = text.strip().split("_")
    match = _HEAD.fullmatch(head)
    if not match:
        raise LineError(f"{text!r} does not begin like n1c4k6 or, without a batch axis, uc4k6")
    batch, channels, out = match.groups()
    found: dict = {
        "batch": None if batch is None else int(batch),
        "in_channels": int(channels),
        "out_channels": int(out),
    }
    for part in parts:
        new = _field(part)
        if twice := found.keys() & new.keys():
            raise LineError(f"{text!r} gives {', '.join(sorted(twice))} twice")
        found |= new
    if missing := {"extent", "kernel"} - found.keys():
        raise LineError(f"{text!r} has no {' and no '.join(sorted(missing))}")
    return ConvSpec(**found)




