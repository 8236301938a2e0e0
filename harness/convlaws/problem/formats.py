"""Number formats: units, limits, and rounding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Format:
    """A binary floating-point format with gradual underflow.

    `bits` is the precision p with the hidden bit, `least` the exponent of the
    smallest normal number, `most` that of the largest number.

    >>> FORMATS["float16"].maximum
    65504.0
    """

    name: str
    bits: int
    least: int
    most: int

    @cached_property
    def unit(self) -> float:
        """u: the largest relative error of one rounding to nearest, 2^-p."""
        return 2.0**-self.bits

    @cached_property
    def eta(self) -> float:
        """The smallest positive (subnormal) number."""
        return 2.0 ** max(self.least - self.bits + 1, -1074)

    @cached_property
    def normal(self) -> float:
        """lambda: the smallest positive normal number."""
        return 2.0**self.least

    @cached_property
    def maximum(self) -> float:
        """The largest finite number."""
        return float((2.0 - 2.0 ** (1 - self.bits)) * 2.0**self.most)

    @cached_property
    def dtype(self) -> np.dtype:
        """The NumPy type of the format."""
        if self.name != "bfloat16":
            return np.dtype(self.name)
        import ml_dtypes  # not at module level: the environment of an engine need not have it

        return np.dtype(ml_dtypes.bfloat16)


FORMATS = {
    f.name: f
    for f in (
        Format("float64", 53, -1022, 1023),
        Format("float32", 24, -126, 127),
        Format("float16", 11, -14, 15),
        Format("bfloat16", 8, -126, 127),
    )
}

TF32 = Format("tf32", 11, -126, 127)


def accumulator(fmt: Format) -> Format:
    """Return the format that a plain convolution accumulates in: float32 for the half types."""
    return fmt if fmt.bits >= 24 else FORMATS["float32"]


def round_to(fmt: Format, values: np.ndarray) -> np.ndarray:
    """Return `values` rounded to nearest even in `fmt`, as float64.

    Implemented per format rather than by a cast: most libraries round float64 to bfloat16
    through float32, which rounds twice.
    """
    if fmt.name in ("float64", "float32", "float16"):
        with np.errstate(all="ignore"):
            return np.asarray(values).astype(fmt.dtype).astype(np.float64)
    return _round_bits(fmt, np.asarray(values, np.float64))


def _round_bits(fmt: Format, values: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        _, exponent = np.frexp(values)
        grid = np.maximum(exponent - fmt.bits, fmt.least - fmt.bits + 1)
        rounded = np.ldexp(np.rint(np.ldexp(values, -grid)), grid)
        overflow = np.abs(rounded) > fmt.maximum
        rounded = np.where(overflow, np.copysign(np.inf, values), rounded)
    return np.where(np.isfinite(values), rounded, values)


def lowest_bit(values: np.ndarray, limit: float) -> float:
    """Return the largest power of two that divides every value (inf if all are zero).

    Values whose lowest bit is below `limit` are not distinguished: `limit`
    is the accumulator's smallest number.
    """
    flat = np.abs(np.asarray(values, np.float64)).ravel()
    flat = flat[flat > 0]
    if not flat.size:
        return np.inf
    mantissa, exponent = np.frexp(flat)
    integer = np.ldexp(mantissa, 53).astype(np.int64)
    low = np.ldexp((integer & -integer).astype(np.float64), exponent - 53)
    return float(max(low.min(), limit * limit))
