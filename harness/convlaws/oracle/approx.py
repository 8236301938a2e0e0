"""Approx: a computed array with a bound on its distance from the exact one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import frexp

import numpy as np


@dataclass(frozen=True, eq=False)
class Approx:
    """A computed array with a bound on its distance from the exact one, element by element.

    Bounds propagate through linear maps; values are float64 or wider, so that
    combining them adds only a small rounding error, which is included in the bound.
    """

    value: np.ndarray
    bound: np.ndarray
    says: str = "result"
    call: object = None  # the call, if this is the answer to one; equal calls compare equal
    places: np.ndarray | None = None  # for each element, its index in that answer

    def __add__(self, other: Approx) -> Approx:
        return self._plus(other.value, other.bound)

    def __sub__(self, other: Approx) -> Approx:
        return self._plus(-other.value, other.bound)

    def _plus(self, value: np.ndarray, bound: np.ndarray) -> Approx:
        with np.errstate(invalid="ignore"):
            total = self.value + value
            # Knuth's TwoSum: the rounding error of the addition
            part = total - self.value
            lost = (self.value - (total - part)) + (value - part)
        rounding = np.where(np.isfinite(total) & (lost != 0), eps(total) * np.abs(total), 0.0)
        return Approx(total, (self.bound + bound) * (1 + 4 * eps(total)) + rounding)

    def __mul__(self, factor: float) -> Approx:
        product = self.value * factor
        unit, least = eps(product), np.finfo(product.dtype).tiny
        power = abs(frexp(factor)[0]) == 0.5
        exact = (product / factor == self.value) if power else self.value == 0
        rounding = np.where(exact | ~np.isfinite(product), 0.0, unit * (np.abs(product) + least))
        return Approx(product, self.bound * abs(factor) * (1 + 4 * unit) + rounding)

    def moved(self, move) -> Approx:
        """Return this array after `move`, a function that only selects, repeats or rearranges elements."""
        places = None if self.places is None else move(self.places)
        return Approx(move(self.value), move(self.bound), call=self.call, places=places)

    def same_as(self, other: Approx) -> bool:
        """True if both are the same elements of answers to the same call, so that their equality is no evidence."""
        if self.call is None or self.places is None or other.places is None or self.call != other.call:
            return False
        return np.array_equal(self.places, other.places)

    def dot(self, weights: np.ndarray) -> Approx:
        """Return sum self * weights, in at least float64."""
        weights = weights.astype(self.value.dtype)
        size, n, unit = np.abs(self.value * weights).sum(), self.value.size, eps(self.value)
        exact = not self.bound.any() and _integral(self.value, weights, size)
        own = 0.0 if exact else n * unit * (size + np.finfo(self.value.dtype).tiny)
        bound = (self.bound * np.abs(weights)).sum() * (1 + 2 * n * unit)
        return Approx(np.atleast_1d((self.value * weights).sum()), np.atleast_1d(bound + own))

    def called(self, says: str) -> Approx:
        """Return the same array with a name for messages."""
        return replace(self, says=says)


def eps(a: np.ndarray) -> np.floating:
    """Return twice the unit roundoff of the type that `a` is computed in."""
    return np.finfo(a.dtype).eps


def _integral(a: np.ndarray, b: np.ndarray, size) -> bool:
    return size < 2.0**53 and bool((a == np.rint(a)).all() and (b == np.rint(b)).all())
