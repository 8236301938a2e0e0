"""The bounds of the contracts, one function each, and the conditions under which they are zero.

Each takes (answer, accumulator's format, output's format) and gives an array
of the result's shape. u is the unit roundoff of the accumulator, eta its
smallest number; R, S and n are the answer's.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from convlaws.oracle.bound_terms import winograd_magnitude
from convlaws.oracle.oracle import Answer, floats
from convlaws.problem.formats import FORMATS, Format, lowest_bit, round_to
from convlaws.problem.spec import ConvSpec

Bound = Callable[[Answer, Format, Format], np.ndarray]


# --- exactness ------------------------------------------------------------------
def _grain(a: Answer, acc: Format) -> float:
    """Return q, of which every product and every bias is a multiple."""
    bits = {role: lowest_bit(v, acc.eta) for role, v in zip(a.operands, a.lowest, strict=True)}
    bias = bits.pop("b", np.inf)
    with np.errstate(over="ignore"):
        return min(float(prod(bits.values())), bias)


def certified(a: Answer, S: np.ndarray, acc: Format, bits: int, least: float = 0.0) -> np.ndarray:
    """Return where S <= 2^bits q, with q at least `least` and representable."""
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
        fits = all(np.array_equal(round_to(narrow, v), v) for r, v in zip(a.operands, a.lowest, strict=True) if r != "b")
        return exact_plain(a, acc, out) if fits else np.zeros(a.R.shape, bool)

    return exact


def exact_winograd2(a, acc, out):
    # the entries 1/2 of G act once per axis, so everything is a multiple of q/4, and the kernel's own transform a
    # multiple of a quarter of its lowest bit: both must be representable
    if 0 < lowest_bit(a.operands["w"], acc.eta) < 4 * acc.eta:
        return never_exact(a, acc, out)
    return certified(a, winograd_magnitude(a, 2), acc, acc.bits - 2, 4 * acc.eta)


def never_exact(a, acc, out):
    return np.zeros(a.R.shape, bool)


# --- bounds -----------------------------------------------------------------------
def _ufp(values: np.ndarray) -> np.ndarray:
    """Return the unit in the first place: the largest power of two that is not above the value."""
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
    M = S / 2 + np.abs(floats(a.R)).astype(np.float64) / 2  # halved first, as their sum may overflow
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
    """Return how many partial results are rounded to storage: taps for dgrad, images for wgrad."""
    taps, images = prod(spec.kernel), spec.images
    scattered = taps * prod(1 + low + high for low, high in spec.sides) if spec.padding_mode != "zeros" else taps
    table = {
        "fprop": taps if spec.transposed else 1,
        "dgrad": 1 if spec.transposed else scattered,
        "wgrad": images,
        "bgrad": 2,
    }
    return table[op] + (spec.bias and op == "fprop")


def storage_bound(a, acc, out):
    """(t u_out + n u) S (1 + t u_out) + t eta_out + n eta for t partials rounded to the output format."""
    t = partials(a.spec, a.op)
    return (t * out.unit + a.n * acc.unit) * a.S * (1 + t * out.unit) + t * out.eta + a.n * acc.eta


def operand_bound(narrow: Format) -> Bound:
    """[(2 u_t + u_t^2) + n u (1 + u_t)^2] S + n eta_t (max|x| + max|w|): both operands rounded to `narrow` first."""

    def bound(a, acc, out):
        t = narrow.unit
        under = (a.n + 1) * acc.eta + a.n * _lost(a, narrow, narrow.normal)
        return ((2 * t + t * t) + a.n * acc.unit * (1 + t) ** 2) * a.S + under

    return bound


def _lost(a: Answer, narrow: Format, least: float) -> float:
    """Return the loss of a product if rounding operands to `narrow` underflows: eta_t times the other operand.

    Zero if no operand is below `least`; a bound relative to S would not cover this loss, as the other may be large.
    """
    sizes = [np.abs(v[np.isfinite(v) & (v != 0)]) for r, v in zip(a.operands, a.lowest, strict=True) if r != "b"]
    small = any((s < least).any() for s in sizes)
    return narrow.eta * (sum(float(s.max(initial=0)) for s in sizes) + narrow.eta) if small else 0.0


def single(a, acc, out):
    """k t / (1 - k t) S, k = n + 3: operands, products, sums and the result in float32, whatever the dtype is."""
    fmt = FORMATS["float32"]
    gamma = (a.n + 3) * fmt.unit / (1 - (a.n + 3) * fmt.unit)
    return gamma * a.S + (a.n + 1) * fmt.eta + a.n * _lost(a, fmt, fmt.normal)


def bf16x3(a, acc, out):
    """[3 u_b^2 (1+u_b)^2 + (n+3) u (1+u_b)^2 (1+2u_b)] S + n eta_b (max|x| + max|w|): products of bfloat16 parts."""
    fmt = FORMATS["bfloat16"]
    b = fmt.unit
    # the second part is smaller by u_b, so it underflows earlier; there are 3 n products
    under = a.n * _lost(a, fmt, fmt.normal / b) + 3 * a.n * acc.eta / 2
    return (3 * b * b * (1 + b) ** 2 + (3 * a.n + 3) * acc.unit * (1 + b) ** 2 * (1 + 2 * b)) * a.S + under


def tensor_core(a, acc, out):
    """3 n u M: aligned block sums of 4 products, truncated, no extra bits (the worst case of the known units).

    References:
        Fasi, Higham, Mikaitis, Pranesh, PeerJ CS 7:e330 (2021).
    """
    M = np.asarray(a.S, np.float64) / 2 + np.abs(floats(a.R)).astype(np.float64) / 2
    return 3 * a.n * acc.unit * M + 2 * acc.unit * a.S + a.n * acc.eta


# roundings on the longest path beside the C - 1 additions, for two axes: those of B' (for F6: 6 terms, coefficients of
# a few bits), of G (a rounded fraction, 3 terms), the product, those of A' (7 terms, powers of two)
_WINOGRAD_STEPS = {2: 10, 4: 22, 6: 34}
# largest row sums of |A'| and of |B'|, each squared for two axes
_REACH_A, _REACH_B = {2: 9.0, 4: 361.0, 6: 4498.0}, {2: 4.0, 4: 100.0, 6: 225.0}
# bits that G's smallest fraction removes from a number, for two axes: 1/2, 1/24, 1/90
_SHRINKS = {2: 10, 4: 10, 6: 14}


def _winograd_sizes(a: Answer) -> tuple[int, int, np.ndarray]:
    """Return the channels that one result sums, the copies of one input that dgrad sums, and the image."""
    image = np.abs(a.operands["x" if a.op == "fprop" else "gy"].astype(np.float64))
    channels = image.shape[0 if a.spec.batch is None else 1] // a.spec.groups
    if a.op != "dgrad" or a.spec.padding_mode == "zeros":
        return channels, 1, image
    all_sides = a.spec.padding_mode == "replicate"
    each = (1 + low + high if all_sides else 1 + (low > 0) + (high > 0) for low, high in a.spec.sides)
    return channels, prod(each), image


def _winograd_underflow(a: Answer, m: int, acc: Format) -> float:
    """eta/2 per product, and 4 eta per number of the kernel's transform, if one can be subnormal.

    G's fractions act twice, so a number of at least 2^_SHRINKS lambda never becomes subnormal.
    """
    channels, copies, image = _winograd_sizes(a)
    w = np.abs(a.operands["w"].astype(np.float64))
    small = ((w > 0) & (w < 2.0 ** _SHRINKS[m] * acc.normal)).any()
    transform = 4 * _REACH_B[m] * float(image[np.isfinite(image)].max(initial=0)) if small else 0.0
    return 2 * copies * (channels + 1) * _REACH_A[m] * (1 + transform) * acc.eta


def winograd_bound(m: int) -> Bound:
    def bound(a, acc, out):
        channels, copies, _ = _winograd_sizes(a)
        k = channels + _WINOGRAD_STEPS[m] + a.spec.bias + copies - 1
        gamma = k * acc.unit / (1 - k * acc.unit)
        return gamma * winograd_magnitude(a, m) + _winograd_underflow(a, m, acc)

    return bound


def winograd_any(m: int) -> Bound:
    """k u alpha sum_c max|g_c| maxpool|x_c|, for tiles at any offset; alpha is 64 for F2, 2304 for F4, 4579 for F6."""
    alpha = {2: 64.0, 4: 2304.0, 6: 4579.0}[m]  # the maximum of (|A'| (|G| 1 o |B'| 1))^2

    def bound(a, acc, out):
        channels, copies, image = _winograd_sizes(a)
        w = np.abs(a.operands["w"].astype(np.float64))
        k = channels * a.spec.groups + _WINOGRAD_STEPS[m] + a.spec.bias + copies - 1
        total = channels * w.max(initial=0) * image.max(initial=0)
        largest = np.full(a.R.shape, k * acc.unit * alpha * copies * total)
        return largest + acc.unit * a.S + _winograd_underflow(a, m, acc)

    return bound


def transformed(bound: Callable[[Answer, float], np.ndarray], axes: int = 0) -> Bound:
    """Add the loss by underflow to the norm-wise `bound`, for transforms over the spatial axes and `axes` more.

    Each of the L (4 log2 L + 4) operations may lose eta, which later products weigh by at most the sum of the other operand.
    """

    def whole(a, acc, out):
        mass = [float(np.abs(v[np.isfinite(v)]).sum()) for v in a.lowest]
        size = 4.0 ** (a.spec.ndim + axes) * (max(v.size for v in a.lowest) + a.R.size + 4)
        lost = acc.eta * size * (4 * np.log2(size) + 4) * (1 + sum(mass))
        return bound(a, acc.unit) + 2 * acc.unit * a.S + lost

    return whole
