"""Formats: their limits, and rounding into them, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlaws.problem.formats import FORMATS, TF32, accumulator, lowest_bit, round_to

ALL = [*FORMATS.values(), TF32]
EVERY = pytest.mark.parametrize("fmt", ALL, ids=lambda f: f.name)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
_INFO = {"bfloat16": ml_dtypes.finfo(ml_dtypes.bfloat16)}


def nearest_even(fmt, value: float) -> float:
    """Round to nearest even by integer arithmetic: no floating point but the last conversion."""
    exact = Fraction(value)
    if not exact:
        return value
    exponent = math.frexp(value)[1] - 1
    grid = Fraction(2) ** (max(exponent, fmt.least) - fmt.bits + 1)
    rounded = round(exact / grid) * grid  # Python rounds a Fraction half to even
    if abs(rounded) > Fraction(fmt.maximum):
        return math.copysign(math.inf, value)
    return float(rounded)


@pytest.mark.parametrize("name", FORMATS)
def test_limits_are_those_of_the_dtype(name):
    fmt = FORMATS[name]

    info = _INFO.get(name) or np.finfo(name)

    assert (fmt.unit, fmt.eta, fmt.normal, fmt.maximum) == tuple(
        float(v) for v in (info.eps / 2, info.smallest_subnormal, info.tiny, info.max)
    )


@EVERY
@given(value=FINITE)
def test_rounding_is_to_nearest_even(fmt, value):
    got = float(round_to(fmt, np.array([value]))[0])

    assert got == nearest_even(fmt, value)


@EVERY
@given(mantissa=st.integers(0, 2**53 - 1), exponent=st.integers(-200, 160), side=st.sampled_from([-1, 0, 1]))
def test_ties_and_their_neighbours_are_rounded_once(fmt, mantissa, exponent, side):
    low = nearest_even(fmt, math.ldexp(mantissa, exponent - 52))
    tie = low + math.ldexp(max(abs(low), fmt.normal), -fmt.bits) if math.isfinite(low) else 0.0
    value = tie if not side else math.nextafter(tie, side * math.inf)

    got = float(round_to(fmt, np.array([value]))[0])

    assert got == nearest_even(fmt, value)


@EVERY
def test_what_is_not_finite_is_kept(fmt):
    got = round_to(fmt, np.array([np.inf, -np.inf, np.nan]))

    assert got[:2].tolist() == [np.inf, -np.inf]
    assert np.isnan(got[2])


@EVERY
def test_the_halfway_point_above_the_largest_number_is_infinity(fmt):
    limit = fmt.maximum * (1 + 2.0 ** (-fmt.bits) / (2 - 2.0 ** (1 - fmt.bits))) if fmt.bits < 53 else math.inf
    below = math.nextafter(limit, 0.0)

    got = round_to(fmt, np.array([limit, below, -limit]))

    assert got.tolist() == [math.inf, fmt.maximum, -math.inf]


def test_float64_to_bfloat16_rounds_once():
    # through float32 this becomes a tie, and then falls to even
    value = 1 + 2.0**-8 + 2.0**-40

    twice = np.float64(value).astype(np.float32).astype(ml_dtypes.bfloat16)
    once = round_to(FORMATS["bfloat16"], np.array([value]))[0]

    assert (float(twice), float(once)) == (1.0, 1 + 2.0**-7)


def test_half_types_are_summed_in_float32():
    names = {name: accumulator(fmt).name for name, fmt in FORMATS.items()}

    assert names == {"float64": "float64", "float32": "float32", "float16": "float32", "bfloat16": "float32"}


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6))
def test_lowest_bit_divides_every_value_and_twice_it_does_not(values):
    bit = lowest_bit(np.array(values), 0.0)

    if not any(values):
        assert bit == np.inf
    else:
        halves = [Fraction(v) / Fraction(bit) for v in values]
        assert all(h.denominator == 1 for h in halves)
        assert any(h.numerator % 2 for h in halves)
