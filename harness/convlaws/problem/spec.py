"""ConvSpec: the sizes of a convolution, their arithmetic, and their text form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any

from convlaws.problem.kept_hash import fields_only, kept_hash
from convlaws.problem.spec_rules import PADDING_MODES, reject
from convlaws.problem.spec_text import PADDING_WORDS, Sides, fields_of, line

__all__ = ["PADDING_MODES", "PADDING_WORDS", "ConvSpec"]
_DEFAULTS: dict[str, Any] = {"stride": 1, "dilation": 1, "input_dilation": 1, "padding": (0, 0), "output_padding": 0}


def sides_of(word: str, extent: int, reach: int, stride: int) -> tuple[int, int]:
    """Return the padding of an axis for a padding word, as (low, high).

    'same' is half of the kernel's reach on each side, the odd one high, as in torch. 'sameupper' and
    'samelower' pad as much as ceil(extent / stride) results need, the odd one high or low.

    References:
        ONNX, Conv, attribute auto_pad; TensorFlow, GetWindowedOutputSize.

    >>> sides_of("same", 5, 4, 1), sides_of("sameupper", 6, 3, 2), sides_of("samelower", 6, 3, 2)
    ((1, 2), (0, 1), (1, 0))
    """
    if word == "valid":
        return 0, 0
    results = -(-extent // stride)
    total = reach - 1 if word == "same" else max(0, (results - 1) * stride + reach - extent)
    less = total // 2
    return (total - less, less) if word == "samelower" else (less, total - less)


@dataclass(frozen=True, kw_only=True)
class ConvSpec:
    """One convolution to be computed: sizes only, no data and no dtype.

    A spatial field holds one number per axis; `ndim` is the number of axes.
    `padding` holds (low, high) per axis, or a word as a framework takes it:
    'same' or 'valid' of torch, 'sameupper' or 'samelower' of ONNX (the first is also TensorFlow's and
    JAX's SAME). Negative numbers crop. `input_dilation` puts zeros between the elements of x
    before it is padded or cropped. `batch=None` is an input without a batch axis.
    x and y may be empty: there is no result if the kernel reaches over more than the padded input.

    Shapes:
        x  (batch, in_channels, *extent)
        w  (out_channels, in_channels // groups, *kernel)
           transposed: (in_channels, out_channels // groups, *kernel)
        b  (out_channels,)
        y  (batch, out_channels, *output)
           output = (spaced + low + high - dilation (kernel - 1) - 1) // stride + 1, 0 if that is negative
           spaced = input_dilation (extent - 1) + 1, 0 if the extent is 0
           transposed: (extent - 1) stride - low - high + dilation (kernel - 1) + 1 + output_padding

    Raises:
        SpecError: a field is out of its range, or more is cropped than there is.

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
    input_dilation: tuple[int, ...] = ()
    groups: int = 1
    bias: bool = False
    padding_mode: str = "zeros"
    transposed: bool = False
    output_padding: tuple[int, ...] = ()

    __hash__ = kept_hash
    __getstate__ = fields_only

    def __post_init__(self):
        for name, default in _DEFAULTS.items():
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
        """The extent of a dilated kernel: dilation (kernel - 1) + 1."""
        return tuple(d * (r - 1) + 1 for d, r in zip(self.dilation, self.kernel, strict=True))

    @cached_property
    def spaced(self) -> tuple[int, ...]:
        """The extents of x with the zeros that `input_dilation` puts between its elements."""
        return tuple(i * (n - 1) + 1 if n else 0 for i, n in zip(self.input_dilation, self.extent, strict=True))

    @cached_property
    def sides(self) -> Sides:
        """The padding as (low, high) per axis; negative numbers crop."""
        if isinstance(self.padding, str):
            return tuple(sides_of(self.padding, *axis) for axis in zip(self.extent, self.reach, self.stride, strict=True))
        return self.padding

    @cached_property
    def padded(self) -> tuple[int, ...]:
        """The extents of the array that the kernel slides over; transposed: of the array that y is cut out of."""
        inner = self.output if self.transposed else self.spaced
        return tuple(low + n + high for n, (low, high) in zip(inner, self.sides, strict=True))

    @cached_property
    def output(self) -> tuple[int, ...]:
        """The spatial extents of y; 0 where the kernel reaches over more than the padded input."""
        return tuple(self._output(axis) for axis in range(self.ndim))

    def _output(self, axis: int) -> int:
        stride, reach, pad = self.stride[axis], self.reach[axis], sum(self.sides[axis])
        if self.transposed:
            return (self.extent[axis] - 1) * stride - pad + reach + self.output_padding[axis]
        return max(0, (self.spaced[axis] + pad - reach) // stride + 1)

    @cached_property
    def unused(self) -> tuple[int, ...]:
        """The number of elements at the end of each padded axis that no window reaches; 0 for a transposed convolution."""
        axes = zip(self.padded, self.reach, self.stride, self.output, strict=True)
        return tuple(0 if self.transposed or not y else (n - reach) % stride for n, reach, stride, y in axes)

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
        """The batch as a number: 1 without a batch axis."""
        return 1 if self.batch is None else self.batch

    @cached_property
    def macs(self) -> int:
        """Multiply-adds of fprop, including those on padding."""
        positions = prod(self.extent) if self.transposed else prod(self.output)
        return self.images * positions * prod(self.w_shape)

    # --- text ------------------------------------------------------------
    def __str__(self) -> str:
        return line(self)

    @staticmethod
    def parse(text: str) -> ConvSpec:
        """Return the spec whose text is `text`.

        Raises:
            LineError: `text` is no spec. SpecError: it is one of an impossible convolution.
        """
        return _parsed(text)

    def _repr_pretty_(self, printer, cycle):
        printer.text(f"ConvSpec.parse({str(self)!r})")


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ConvSpec:
    return ConvSpec(**fields_of(text))
