"""The bounds of the contracts, one function each, and when they are zero.

Each takes (answer, accumulator's format, output's format) and gives an array
of the result's shape. u is the unit roundoff of the accumulator, eta its
smallest number; R, S and n are the answer's.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from convlaws.formats import FORMATS, Format, lowest_bit, round_to
from convlaws.magnitudes import fft_bound, winograd_magnitude
from convlaws.oracle import Answer, floats
from convlaws.spec import ConvSpec

Bound = Callable[[Answer, Format, Format], np.ndarray]


# --- exactness ------------------------------------------------------------------
def _grain(a: Answer, acc: Format) -> float:
    """q: every product and every bias is a multiple of it."""
    bits = {role: lowest_bit(v, acc.eta) for role, v in zip(a.operands, a.lowest, strict=True)}
    bias = bits.pop("b", np.inf)
    with np.errstate(over="ignore"):
        return min(float(prod(bits.values())), bias)


def certified(a: Answer, S: np.ndarray, acc: Format, bits: int, least: float = 0.0) -> np.ndarray:
    """Where S <= 2^bits q, with q at least `least` and representable."""
    q = _grain(a, acc)
    if q < max(acc.eta, least):
        return np.zeros(np.shape(S), bool)
    return np.asarray(min(2.0**bits * q if np.isfinite(q) else np.inf, acc.maximum) >= S)


def exact_plain(a, acc, out):
    """S <= 2^p q: every partial sum, in any order, is representable."""
    return certified(a, a.S, acc, acc.bits) | (a.n == 0)


def exact_storage(a, acc, out):
    return certified(a, a.S, out, out.bits) | (a.n == 0)


def exact_operand(narrow: Format) -> Bound:
    def exact(a, acc, out):
        fits = all(
            np.array_equal(round_to(narrow, v), v) for r, v in zip(a.operands, a.lowest, strict=True) if r != "b"
        )
        return exact_plain(a, acc, out) if fits else np.zeros(a.R.shape, bool)

    return exact


def exact_winograd2(a, acc, out):
    # the entries 1/2 of G act once an axis, so everything is a multiple of q/4
    return certified(a, winograd_magnitude(a, 2), acc, acc.bits - 2)


def never_exact(a, acc, out):
    return np.zeros(a.R.shape, bool)


# --- bounds -----------------------------------------------------------------------
def _ufp(values: np.ndarray) -> np.ndarray:
    """The unit in the first place: the largest power of two not above."""
    _, exponent = np.frexp(values)
    return np.where(values > 0, np.ldexp(1.0, exponent - 1), 0.0)


def plain_bound(a, acc, out):
    """(n-1) u ufp(M + 2nuS) + u S + n eta/2, M = (S + |R|)/2, at most n u S + n eta/2.

    A partial sum over any subset lies in [-S-, S+], so it is at most M; there
    are n - 1 additions in any order. Products are exact where the
    accumulator is wider than the operands.
    """
    u, n, S = acc.unit, a.n, np.asarray(a.S, np.float64)
    under = n * acc.eta / 2
    M = S / 2 + np.abs(floats(a.R)).astype(np.float64) / 2  # halved first: their sum may overflow
    products = u * S if acc is out else 0.0
    sharp = np.maximum(n - 1, 0) * u * _ufp(M + 2 * n * u * S) + products
    sharp = np.where((n <= 1) & (acc is out), 0.0, sharp)  # one product: rounded once, by RN
    return np.minimum(sharp, n * u * S) + np.where((n <= 1) & (acc is out), 0.0, under)


def exact_flushing(a, acc, out):
    """No operand and no product has a bit below the smallest normal number, so nothing is flushed."""
    least = max(acc.normal, out.normal)
    if any(lowest_bit(v, acc.eta) < least for v in a.lowest):
        return a.n == 0
    return certified(a, a.S, acc, acc.bits, least) | (a.n == 0)


def flushing(a, acc, out):
    """plain, and n lambda (max|x| + max|w| + lambda) + 2 n lambda + lambda_out: subnormals may become zero anywhere.

    An operand that is flushed changes each of its n products by at most lambda times the other.
    """
    least = [float(np.abs(v[np.isfinite(v)]).max(initial=0)) for v in a.lowest]
    flushed = acc.normal * (a.n * (sum(least) + acc.normal) + 2 * a.n) + out.normal
    return plain_bound(a, acc, out) + np.where(a.n > 0, flushed, 0.0)


def partials(spec: ConvSpec, op: str) -> int:
    """How many partial results are rounded to storage: taps for an input gradient, images for a weight gradient."""
    taps, images = prod(spec.kernel), spec.images
    scattered = taps * prod(1 + low + high for low, high in spec.sides) if spec.padding_mode != "zeros" else taps
    table = {
        "fprop": taps if spec.transposed else 1,
        "dgrad": 1 if spec.transposed else scattered,
        "wgrad": images,
        "bgrad": 2,
    }
    return table[op] + spec.bias


def storage_bound(a, acc, out):
    """(t u_out + n u) S (1 + t u_out) + t eta_out + n eta for t partials rounded to the output format."""
    t = partials(a.spec, a.op)
    return (t * out.unit + a.n * acc.unit) * a.S * (1 + t * out.unit) + t * out.eta + a.n * acc.eta


def operand_bound(narrow: Format) -> Bound:
    """[(2 u_t + u_t^2) + n u (1 + u_t)^2] S: both operands rounded to `narrow` first."""

    def bound(a, acc, out):
        t = narrow.unit
        under = (a.n + 1) * (acc.eta + narrow.eta)
        return ((2 * t + t * t) + a.n * acc.unit * (1 + t) ** 2) * a.S + under

    return bound


def bf16x3(a, acc, out):
    """[3 u_b^2 (1+u_b)^2 + (n+3) u (1+u_b)^2 (1+2u_b)] S: three products of bfloat16 parts."""
    b = FORMATS["bfloat16"].unit
    return (3 * b * b * (1 + b) ** 2 + (3 * a.n + 3) * acc.unit * (1 + b) ** 2 * (1 + 2 * b)) * a.S + a.n * acc.eta


def tensor_core(a, acc, out):
    """3 n u M: aligned block sums of 4 products, truncated, no extra bits (the most pessimistic unit known).

    References:
        Fasi, Higham, Mikaitis, Pranesh, PeerJ CS 7:e330 (2021).
    """
    M = np.asarray(a.S, np.float64) / 2 + np.abs(floats(a.R)).astype(np.float64) / 2
    return 3 * a.n * acc.unit * M + 2 * acc.unit * a.S + a.n * acc.eta


UNDERFLOWS = 400  # rows of |A'| sum to 19 in F4, so one underflow weighs up to 361 in a result
# roundings on the longest path beside the C - 1 additions: see oracle.md, class W
_WINOGRAD_STEPS = {2: 10, 4: 22}


def winograd_bound(m: int) -> Bound:
    def bound(a, acc, out):
        image = a.operands["x" if a.op == "fprop" else "gy"]
        channels = image.shape[0 if a.spec.batch is None else 1] // a.spec.groups
        k = channels + _WINOGRAD_STEPS[m] + a.spec.bias
        gamma = k * acc.unit / (1 - k * acc.unit)
        return gamma * winograd_magnitude(a, m) + UNDERFLOWS * (a.n + 1) * acc.eta

    return bound


def winograd_any(m: int) -> Bound:
    """k u alpha sum_c max|g_c| maxpool|x_c|, for tiles that lie anywhere; alpha is 64 for F2, 2304 for F4."""
    alpha = {2: 64.0, 4: 2304.0}[m]

    def bound(a, acc, out):
        image = np.abs(a.operands["x" if a.op == "fprop" else "gy"].astype(np.float64))
        w = np.abs(a.operands["w"].astype(np.float64))
        channels = image.shape[0 if a.spec.batch is None else 1]
        k = channels + _WINOGRAD_STEPS[m] + a.spec.bias
        total = channels // a.spec.groups * w.max(initial=0) * image.max(initial=0)
        return np.full(a.R.shape, k * acc.unit * alpha * total) + acc.unit * a.S + UNDERFLOWS * (a.n + 1) * acc.eta

    return bound


def fft(a, acc, out):
    return fft_bound(a, acc.unit) + 2 * acc.unit * a.S + a.n * acc.eta
