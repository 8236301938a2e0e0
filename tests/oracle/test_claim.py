"""Claims and their judge: what passes, what a message says, and bounds that propagate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlaws.oracle.claim import Approx, Claim, evidence_of, judge, ratios, shape_error, unpacked

INF, NAN = np.inf, np.nan


def claim(got, low, high, **more) -> Claim:
    return Claim(*(np.array(v, np.float64) for v in (got, low, high)), **more)


# --- what passes --------------------------------------------------------------------
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (-1.0, 1.0), (-INF, INF), (INF, INF), (NAN, NAN)])
def test_nan_never_passes(low, high):
    mismatch = judge(claim([NAN], [low], [high]))

    assert mismatch is not None
    assert mismatch.kind == "nan"


@pytest.mark.parametrize(
    ("got", "low", "high"),
    [(INF, INF, INF), (-INF, -INF, -INF), (INF, 1.0, INF), (-0.0, 0.0, 0.0), (0.0, -0.0, -0.0), (1.0, 1.0, 1.0)],
)
def test_equal_values_pass_infinities_and_signed_zeros_too(got, low, high):
    assert judge(claim([got], [low], [high])) is None


@pytest.mark.parametrize(
    ("got", "low", "high", "kind"),
    [
        (INF, -INF, -INF, "inf"),
        (INF, 0.0, 1.0, "inf"),
        (1.0, INF, INF, "value"),
        (np.nextafter(1, 2), 1.0, 1.0, "value"),
    ],
)
def test_what_is_outside_is_named_by_its_kind(got, low, high, kind):
    mismatch = judge(claim([0.5, got], [0.5, low], [0.5, high]))

    assert mismatch is not None
    assert mismatch.kind == kind
    assert mismatch.wrong.tolist() == [False, True]


@pytest.mark.parametrize(
    ("rule", "got", "passes"),
    [(0, NAN, False), (1, NAN, True), (2, NAN, True), (0, 0.0, True), (1, 0.0, True), (2, 0.0, False)],
)
def test_nan_stands_where_it_may_and_must(rule, got, passes):
    found = judge(claim([got], [0], [0], nan=np.array([rule])))

    assert (found is None) == passes


def test_of_free_elements_nothing_is_said():
    c = claim([NAN, 5.0, 1.0], [0, 0, 1], [0, 0, 1], free=np.array([True, True, False]))

    assert judge(c) is None
    assert ratios(c).tolist() == [0.0]


def test_a_claim_of_another_shape_is_an_error_and_not_broadcast():
    with pytest.raises(AssertionError, match=r"\(2,\) elements against \(1,\)"):
        judge(claim([1, 1], [1], [1]))


@pytest.mark.parametrize(
    ("got", "found"),
    [
        (np.zeros((2, 3), np.float32), None),
        (np.zeros((2, 1), np.float32), ("shape", "the output's shape is (2, 1), it should be (2, 3)")),
        (np.zeros((1, 2, 3), np.float32), ("shape", "the output's shape is (1, 2, 3), it should be (2, 3)")),
        (np.zeros((3, 2), np.float32), ("shape", "the output's shape is (3, 2), it should be (2, 3)")),
        (np.zeros((), np.float32), ("shape", "the output's shape is (), it should be (2, 3)")),
        (np.zeros((2, 3)), ("dtype", "the output's dtype is float64, it should be float32")),
    ],
)
def test_an_output_has_exactly_its_shape_and_dtype(got, found):
    assert shape_error(got, (2, 3), "float32") == found


def test_a_nan_in_one_of_two_results_is_a_mismatch():
    one, other = (Approx(np.array([v]), np.array([1.0])) for v in (NAN, 1.0))

    assert judge(Claim.equal(one, other)) is not None
    assert judge(Claim.equal(other, one)) is not None


def test_infinities_of_opposite_sign_are_not_equal():
    one, other = (Approx(np.array([v]), np.array([0.0])) for v in (INF, -INF))

    assert judge(Claim.equal(one, other)) is not None


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [(NAN, NAN, True), (0.0, -0.0, True), (INF, INF, True), (NAN, 1.0, False), (1.0, NAN, False), (INF, NAN, False)],
)
def test_the_same_bits_are_the_same_values_with_nan_where_nan(left, right, same):
    found = judge(Claim.same_bits(np.float32([left]), np.float32([right]), "one", "other"))

    assert (found is None) == same


# --- ratios -------------------------------------------------------------------------
NUMBERS = st.floats(-1e300, 1e300)


@given(middle=NUMBERS, below=st.floats(0, 1e290), above=st.floats(0, 1e290), at=st.floats(0, 1))
def test_the_ratio_is_at_most_one_exactly_where_the_claim_is_kept(middle, below, above, at):
    low, high = middle - below, middle + above
    inside = min(max(low + at * (high - low), low), high)
    spread = {"middle": np.array([middle])}

    kept = claim([inside], [low], [high], **spread)
    beyond = claim([np.nextafter(high, INF)], [low], [high], **spread)

    assert judge(kept) is None
    assert ratios(kept).max() <= 1
    assert judge(beyond) is not None
    assert not (ratios(beyond) < 1).any()


# --- messages -----------------------------------------------------------------------
def test_a_message_names_the_worst_place_both_values_and_the_slack():
    c = claim([[1.0, 2.5], [9.0, 4.0]], [[0.5, 1.5], [2.5, 3.5]], [[1.5, 2.5], [3.5, 4.5]], left="this", right="that")

    assert str(judge(c)) == "this is 9 at (1, 0), that 3\n  apart by 6, allowed 0.5, ratio 12; 1 of 4 elements are wrong"


@pytest.mark.parametrize(
    ("got", "rule", "says"),
    [(1.0, 2, "got is 1 at (0,), the definition NaN"), (NAN, 0, "got is nan at (0,), the definition 0")],
)
def test_a_message_says_nan_where_one_is_expected(got, rule, says):
    mismatch = judge(claim([got], [0], [0], nan=np.array([rule])))

    assert str(mismatch).startswith(says)


# --- vacuous ------------------------------------------------------------------------
_ONES = np.ones(10)


@pytest.mark.parametrize(
    ("c", "reason"),
    [
        (Claim(_ONES, _ONES, _ONES, scale=_ONES), None),
        (Claim(_ONES, _ONES, _ONES), None),
        (Claim(*(np.zeros((0, 3)),) * 3), "the result has no elements"),
        (Claim(_ONES, _ONES, _ONES, free=np.arange(10) > 0), "partial sums may overflow nearly everywhere"),
        (
            Claim(*(np.zeros(11),) * 3, scale=(np.arange(11) > 9) * 1.0),
            "over nine tenths of the result are sums of nothing",
        ),
        (Claim(*(np.zeros(1),) * 3, scale=np.zeros(1)), None),
        (Claim(_ONES, _ONES - 3, _ONES + 3, scale=_ONES), "the slack is larger than the values"),
        (Claim(_ONES, _ONES - 1, _ONES + 1, scale=_ONES), None),
        (Claim.same_bits(_ONES, _ONES, "one", "the same"), "both sides are the same"),
        (Claim.same_bits(_ONES.copy(), _ONES, "one", "another"), None),
    ],
)
def test_a_claim_says_why_it_would_be_worth_little(c, reason):
    assert c.vacuous() == reason


# --- bounds propagate ---------------------------------------------------------------
def exact(value) -> Fraction:
    """The value of a float64 or longdouble."""
    mantissa, exponent = np.frexp(value)
    return Fraction(int(np.ldexp(mantissa, 64))) * Fraction(2) ** (int(exponent) - 64)


_VALUE, _ERROR = st.floats(-1e6, 1e6), st.floats(0, 1.0)
_FACTOR = st.sampled_from([3.0, 0.1, -7.3, 2.0, 0.5, 1 / 3])
_OPERATIONS = st.lists(st.tuples(st.sampled_from("+-*"), _VALUE, _ERROR, st.floats(-1, 1), _FACTOR), max_size=6)


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@given(start=st.tuples(_VALUE, st.floats(-1, 1)), error=_ERROR, operations=_OPERATIONS, exactly=st.booleans())
def test_sums_and_multiples_stay_within_their_bounds(dtype, start, error, operations, exactly):
    error = 0.0 if exactly else error
    value = Approx(np.array([start[0]], dtype), np.array([error], dtype))
    truth = Fraction(start[0]) + Fraction(start[1]) * Fraction(error)
    for sign, other, off, at, factor in operations:
        off = 0.0 if exactly else off
        two = Approx(np.array([other], dtype), np.array([off], dtype))
        real = Fraction(other) + Fraction(at) * Fraction(off)
        if sign == "*":
            value, truth = value * factor, truth * Fraction(factor)
        else:
            value, truth = (value + two, truth + real) if sign == "+" else (value - two, truth - real)

    assert abs(exact(value.value[0]) - truth) <= exact(value.bound[0])


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@given(rows=st.lists(st.tuples(_VALUE, _ERROR, st.floats(-1, 1), _VALUE), min_size=1, max_size=20))
def test_a_dot_product_stays_within_its_bound(dtype, rows):
    values, errors, _, weights = (np.array(column) for column in zip(*rows, strict=True))
    truth = sum((Fraction(v) + Fraction(a) * Fraction(e)) * Fraction(w) for v, e, a, w in rows)

    found = Approx(values.astype(dtype), errors.astype(dtype)).dot(weights)

    assert abs(exact(found.value[0]) - truth) <= exact(found.bound[0])


@given(values=st.lists(st.integers(-1000, 1000), min_size=1, max_size=9), factor=st.sampled_from([3.0, 2.0, -5.0]))
def test_integers_combine_without_any_slack(values, factor):
    a = Approx(np.array(values, np.float64), np.zeros(len(values)))

    for found in (a + a, a - a, a.dot(np.array(values)), a * 0.5):
        assert not found.bound.any()
    assert ((a * factor).bound <= 2.0**-52 * np.abs((a * factor).value)).all()


def test_moving_elements_moves_their_bounds():
    a = Approx(np.array([1.0, 2.0]), np.array([0.1, 0.2])).moved(lambda v: v[::-1])

    assert (a.value.tolist(), a.bound.tolist()) == ([2.0, 1.0], [0.2, 0.1])


# --- evidence -----------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(16_384,), (2, 8, 8, 8, 16), (3, 40_000)])
def test_evidence_is_under_four_kilobytes_and_has_no_nan(shape):
    import json

    rng = np.random.default_rng(0)
    got = rng.standard_normal(shape) * 1e-300
    got.flat[::7] = NAN
    low, high = -rng.random(shape) * 1e-308, rng.random(shape) * 1e-308
    mismatch = judge(Claim(got, low, high))

    found = evidence_of(mismatch)
    text = json.dumps(found, allow_nan=False)

    assert len(text) < 4096
    assert found["wrong"] == int(mismatch.wrong.sum())
    assert found["elements"][0]["at"] == list(mismatch.worst)


def test_the_mask_of_the_wrong_elements_is_kept_where_it_is_small():
    got = np.zeros((3, 5))
    got[1, 2:4] = 1
    mismatch = judge(Claim(got, 0 * got, 0 * got))

    mask = unpacked(evidence_of(mismatch))

    assert mask.tolist() == mismatch.wrong.tolist()
