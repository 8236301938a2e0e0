"""Claim, Mismatch and judge: the only module that compares arrays."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from convlaws.oracle.approx import Approx, eps
from convlaws.oracle.contracts import Interval
from convlaws.oracle.oracle import Answer

MOST = 0.9  # an example with a larger share of results that are zero, free or looser than their values is vacuous


@dataclass(frozen=True, eq=False)
class Claim:
    """The claim of a law about one case: `got` lies in [low, high], element by element.

    `nan` is 0 where NaN is wrong, 1 where it is allowed, 2 where it is required;
    `free` marks elements that may have any value. `n` counts the terms of each element where
    that is known, `middle` is the value that errors are measured from (default: the midpoint), `scale` the
    magnitude of the values; `same` is True if both sides are one object, or answers to the same call.
    """

    got: np.ndarray
    low: np.ndarray
    high: np.ndarray
    left: str = "got"
    right: str = "the definition"
    nan: np.ndarray | None = None
    free: np.ndarray | None = None
    n: np.ndarray | None = None
    scale: np.ndarray | None = None
    middle: np.ndarray | None = None
    same: bool = False

    @staticmethod
    def of_answer(got: np.ndarray, answer: Answer, allowed: Interval) -> Claim:
        """Claim that `got` is the result of the definition, within the contract."""
        with np.errstate(over="ignore"):
            scale = np.asarray(answer.S, np.float64)
        middle = allowed.middle if answer.infinite is None else None
        return Claim(got, allowed.low, allowed.high, nan=answer.nan, free=allowed.free, n=answer.n, scale=scale, middle=middle)

    @staticmethod
    def equal(left: Approx, right: Approx) -> Claim:
        """Claim that two computed arrays are equal."""
        slack = (left.bound + right.bound) * (1 + 4 * eps(right.value))  # the sum is rounded, possibly down
        with np.errstate(invalid="ignore"):
            low, high = right.value - slack, right.value + slack
        free = ~np.isfinite(slack)  # an overflow that the definition has too; any other Inf or NaN is wrong
        scale = np.abs(right.value)
        free = free if free.any() else None
        same = left.same_as(right)
        return Claim(left.value, low, high, left.says, right.says, free=free, scale=scale, middle=right.value, same=same)

    @staticmethod
    def same_bits(left: np.ndarray, right: np.ndarray, left_says: str, right_says: str) -> Claim:
        """Claim that two arrays have the same values, NaN where NaN, without any slack."""
        wide = right.astype(np.float64)
        nan = np.where(np.isnan(wide), 2, 0)
        return Claim(left, wide, wide, left_says, right_says, nan=nan, scale=np.abs(wide), same=left is right)

    def vacuous(self) -> str | None:
        """Return why a kept claim is not evidence, or None if it is."""
        if self.got.size == 0:
            return "the result has no elements"
        if self.same:
            return "both sides are the same"
        if self.free is not None and self.free.mean() >= MOST:
            return "partial sums may overflow nearly everywhere"
        if self.scale is None:
            return None
        zero = self.scale == 0
        if zero.mean() > MOST and self.got.size > 1:
            return "over nine tenths of the result are sums of nothing"
        with np.errstate(invalid="ignore", over="ignore"):
            loose = ((self.high - self.low) > 2 * self.scale)[~zero]
        return "the slack is larger than the values" if loose.size and loose.mean() > MOST else None


@dataclass(frozen=True, eq=False)
class Mismatch:
    """The wrong elements of a failed claim, and the worst of them."""

    claim: Claim
    wrong: np.ndarray
    kind: str

    @property
    def worst(self) -> tuple[int, ...]:
        """The index of the element furthest outside its interval."""
        ratio = _ratio(self.claim)
        excess = np.where(self.wrong, np.where(np.isnan(ratio), np.inf, ratio), -1.0)
        excess = np.where(np.isposinf(excess) & self.wrong, np.finfo(float).max, excess)
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(excess)), excess.shape))

    def __str__(self) -> str:
        c, at = self.claim, self.worst
        got = c.got[at]
        middle, apart, slack = (measure[at] for measure in _measures(c))
        expected = "NaN" if c.nan is not None and c.nan[at] == 2 else f"{float(middle):.17g}"
        if c.low[at] == c.high[at] != middle and expected != "NaN":
            expected += f", which rounds to {float(c.low[at]):.17g}"
        ratio = f", ratio {float(apart / slack):.3g}" if slack > 0 and np.isfinite(apart) else ""
        distance = f"apart by {float(apart):.3g}, allowed {float(slack):.3g}{ratio}"
        if np.isnan(got) or expected == "NaN":
            distance = "NaN on one side only, which no slack allows"
        return (
            f"{c.left} is {float(got):.17g} at {at}, {c.right} {expected}\n"
            f"  {distance}; {int(self.wrong.sum())} of {self.wrong.size} elements are wrong"
        )


class _Measures(NamedTuple):
    """Element by element: the value that errors are measured from, the distance from it, and what is allowed on that side."""

    middle: np.ndarray
    apart: np.ndarray
    slack: np.ndarray


def _measures(c: Claim) -> _Measures:
    """Return the measures of a claim; computed once."""
    kept = vars(c)
    if "_measures" not in kept:
        kept["_measures"] = _measured(c)
    return kept["_measures"]


def _measured(c: Claim) -> _Measures:
    with np.errstate(all="ignore"):
        point = c.low == c.high
        middle = c.middle
        if middle is None:
            middle = np.where(point, c.low, c.low + (np.asarray(c.high) - c.low) / 2)
        got = c.got.astype(middle.dtype, copy=False)
        inside_a_point = point & (c.got.astype(np.asarray(c.low).dtype, copy=False) == c.low)
        apart = np.where(inside_a_point | (got == middle), 0.0, np.abs(got - middle))  # 0 for equal infinities
        slack = np.where(point, 0.0, np.where(got >= middle, c.high - middle, middle - c.low))
    return _Measures(middle, apart, slack)


def _ratio(c: Claim) -> np.ndarray:
    """Return |error| / slack; inf for an error without slack, NaN where the element is NaN."""
    measures = _measures(c)
    if not measures.apart.any():
        return measures.apart
    with np.errstate(all="ignore"):
        apart, slack = measures.apart, measures.slack
        return np.where(apart == 0, 0.0, np.where(slack > 0, apart / np.where(slack > 0, slack, 1), np.inf * apart))


def ratios(c: Claim) -> np.ndarray:
    """Return |error| / slack of each judged element, at most 1 if the claim holds; infinite ones are left out."""
    with np.errstate(over="ignore"):  # a longdouble beyond float64 becomes infinite, and is left out
        ratio = np.asarray(_ratio(c), np.float64)
    return ratio[np.isfinite(ratio) if c.free is None else np.isfinite(ratio) & ~c.free]


def judge(c: Claim) -> Mismatch | None:
    """Return the mismatch between got and allowed values, or None.

    Written as `not (low <= got <= high)`, so that NaN is never inside.
    """
    if c.got.shape != c.low.shape:
        raise AssertionError(f"a claim of {c.got.shape} elements against {c.low.shape}")
    got = c.got.astype(np.asarray(c.low).dtype, copy=False)
    with np.errstate(invalid="ignore"):
        ok = (c.low <= got) & (got <= c.high)
    if c.nan is not None:
        is_nan = np.isnan(got)
        ok = np.where(is_nan, c.nan >= 1, ok & (c.nan < 2))
    if c.free is not None:
        ok |= c.free
    return None if ok.all() else Mismatch(c, ~ok, _kind(c, ~ok))


def _kind(c: Claim, wrong: np.ndarray) -> str:
    values = c.got[wrong].astype(np.float64)
    expects_nan = c.nan is not None and bool((c.nan[wrong] == 2).any())
    if expects_nan or np.isnan(values).any():
        return "nan"
    return "inf" if np.isinf(values).any() else "value"


def shape_error(got: np.ndarray, shape: tuple[int, ...], dtype: str) -> tuple[str, str] | None:
    """Return (kind, sentence) unless an output has exactly this shape and dtype; broadcasting is not accepted."""
    if tuple(got.shape) != tuple(shape):
        return "shape", f"the output's shape is {tuple(got.shape)}, it should be {tuple(shape)}"
    if got.dtype.name != dtype:
        return "dtype", f"the output's dtype is {got.dtype.name}, it should be {dtype}"
    return None


MOST_MASK = 16_384  # largest number of elements for which the mask of wrong ones is kept


MOST_VALUES = 12  # wrong elements listed with got, low and high


def evidence_of(mismatch: Mismatch) -> dict:
    """Return the shape, the mask of the wrong elements and the values of the first of them; under 4 kB as JSON.

    `mask` is base64 of zlib of packed bits in C order, or "" if the result is too large or the
    mask does not compress to 2 kB. Numbers are strings, since JSON has no NaN.
    """
    claim, wrong = mismatch.claim, mismatch.wrong
    worst = [mismatch.worst, *(tuple(int(i) for i in at) for at in np.argwhere(wrong)[:MOST_VALUES])]
    rows = [
        {"at": list(at), **{name: _text(getattr(claim, name)[at]) for name in ("got", "low", "high")}}
        for at in dict.fromkeys(worst)
    ]
    return {"shape": list(wrong.shape), "wrong": int(wrong.sum()), "mask": _packed(wrong), "elements": rows}


def _packed(wrong: np.ndarray) -> str:
    if wrong.size > MOST_MASK:
        return ""
    text = base64.b64encode(zlib.compress(np.packbits(wrong).tobytes(), 9)).decode()
    return text if len(text) <= 2048 else ""


def unpacked(evidence: dict) -> np.ndarray | None:
    """Return the mask of `evidence_of`, or None if it was not kept."""
    if not evidence.get("mask"):
        return None
    shape = evidence["shape"]
    bits = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(evidence["mask"])), np.uint8))
    return bits[: int(np.prod(shape))].reshape(shape).astype(bool)


def _text(value) -> str:
    return f"{float(value):.17g}"
