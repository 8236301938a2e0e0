"""Contracts: the numerical class that a method declares, and the slack that it allows.

A bound B holds for the accumulated value; the result may then be anything
between RN(R - B) and RN(R + B), RN being the rounding to the output format.
Rounding is monotone, so nothing tighter follows from B. Each bound is a
theorem for its class: a method outside of it breaks its contract.

u is the unit roundoff of the accumulator, eta its smallest number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from convlaws.errors import UnknownName
from convlaws.formats import FORMATS, TF32, Format, accumulator, lowest_bit, round_to
from convlaws.magnitudes import fft_bound, winograd_magnitude
from convlaws.oracle import Answer
from convlaws.spec import ConvSpec

SAFE = 1 + 2.0**-40  # S itself is computed in float64
Bound = Callable[[Answer, Format, Format], np.ndarray]


@dataclass(frozen=True)
class Contract:
    """A numerical class.

    `bound(answer, acc, out)` is B. `exact(answer, acc, out)` says for which
    results every intermediate value is representable, so that B = 0.
    `rounds_once` is false where B already holds for the stored result.
    `spreads` says that an Inf or NaN may reach results outside of its
    receptive field, as it does through an FFT or a Winograd tile.
    """

    name: str
    says: str
    bound: Bound
    exact: Bound
    rounds_once: bool = True
    spreads: bool = False
    covers: Callable[[ConvSpec, str], bool] = lambda spec, op: True

    def applied_to(self, spec: ConvSpec, op: str) -> Contract:
        """This contract, or plain where the algorithm has no meaning (a bias gradient is a plain sum)."""
        return self if self.covers(spec, op) else CONTRACTS["plain"]


@dataclass(frozen=True)
class Interval:
    """Where each result must lie (float64 or wider), and what B was."""

    low: np.ndarray
    high: np.ndarray
    bound: np.ndarray
    free: np.ndarray | None  # where partial sums may overflow: anything goes


def interval(a: Answer, contract: Contract, fmt: Format, *, certify: bool = True) -> Interval:
    """The results that `contract` allows for the answer `a`, stored in `fmt`.

    `certify=False` leaves out the certificate of exactness: for an answer that is a sum of two,
    whose operands do not tell the grain of its terms.

    References:
        ../shared/oracle.md of the project's brief has the derivations; Jeannerod
        and Rump, SIMAX 34 (2013), for n u in place of gamma_n.
    """
    contract, acc = contract.applied_to(a.spec, a.op), accumulator(fmt)
    R = a.R.astype(np.float64) if a.R.dtype == object else a.R
    with np.errstate(all="ignore"):
        exact = contract.exact(a, acc, fmt) if certify else a.n == 0
        B = np.where(exact, 0.0, contract.bound(a, acc, fmt) * SAFE + a.n * a.unit * a.S)
        if a.R.dtype == object:  # exact fractions, rounded to float64 just now
            B = B + np.where(B > 0, 2.0**-53 * a.S, 0.0)
        low, high = R - B, R + B
        if contract.rounds_once:
            low, high = round_to(fmt, low), round_to(fmt, high)
        free = _may_overflow(a, contract, acc, fmt)
    if a.infinite is not None:
        low, high = (np.where(a.infinite != 0, a.infinite, end) for end in (low, high))
    return Interval(low, high, B, free)


def _may_overflow(a: Answer, contract: Contract, acc: Format, fmt: Format) -> np.ndarray | None:
    limit = acc.maximum if contract.rounds_once else fmt.maximum
    over = a.S * 4 > limit if contract.spreads else a.S > limit
    return over if over.any() else None


# --- exactness ------------------------------------------------------------------
def _grain(a: Answer, acc: Format) -> float:
    """q: every product and every bias is a multiple of it."""
    bits = {role: lowest_bit(v, acc.eta) for role, v in zip(a.operands, a.lowest, strict=True)}
    bias = bits.pop("b", np.inf)
    with np.errstate(over="ignore"):
        return min(float(prod(bits.values())), bias)


def _certified(a: Answer, S: np.ndarray, acc: Format, bits: int) -> np.ndarray:
    q = _grain(a, acc)
    if q < acc.eta:
        return np.zeros(np.shape(S), bool)
    return np.asarray(S <= min(2.0**bits * q if np.isfinite(q) else np.inf, acc.maximum))


def _exact_plain(a, acc, out):
    """S <= 2^p q: every partial sum, in any order, is representable."""
    return _certified(a, a.S, acc, acc.bits) | (a.n == 0)


def _exact_storage(a, acc, out):
    return _certified(a, a.S, out, out.bits) | (a.n == 0)


def _exact_operand(narrow: Format) -> Bound:
    def exact(a, acc, out):
        fits = all(np.array_equal(round_to(narrow, v), v) for r, v in zip(a.operands, a.lowest, strict=True) if r != "b")
        return _exact_plain(a, acc, out) if fits else np.zeros(a.R.shape, bool)

    return exact


def _exact_winograd2(a, acc, out):
    # the entries 1/2 of G act once an axis, so everything is a multiple of q/4
    return _certified(a, winograd_magnitude(a, 2), acc, acc.bits - 2)


def _never_exact(a, acc, out):
    return np.zeros(a.R.shape, bool)


# --- bounds -----------------------------------------------------------------------
def _ufp(values: np.ndarray) -> np.ndarray:
    """The unit in the first place: the largest power of two not above."""
    _, exponent = np.frexp(values)
    return np.where(values > 0, np.ldexp(1.0, exponent - 1), 0.0)


def _plain(a, acc, out):
    """(n-1) u ufp(M + 2nuS) + u S + n eta/2, M = (S + |R|)/2, at most n u S + n eta/2.

    A partial sum over any subset lies in [-S-, S+], so it is at most M; there
    are n - 1 additions in any order. Products are exact where the
    accumulator is wider than the operands.
    """
    u, n, S = acc.unit, a.n, np.asarray(a.S, np.float64)
    under = n * acc.eta / 2
    M = S / 2 + np.abs(a.R).astype(np.float64) / 2  # halved first: their sum may overflow
    products = u * S if acc is out else 0.0
    sharp = np.maximum(n - 1, 0) * u * _ufp(M + 2 * n * u * S) + products
    sharp = np.where((n <= 1) & (acc is out), 0.0, sharp)  # one product: rounded once, by RN
    return np.minimum(sharp, n * u * S) + np.where((n <= 1) & (acc is out), 0.0, under)


def partials(spec: ConvSpec, op: str) -> int:
    """How many partial results are rounded to storage: taps for an input gradient, images for a weight gradient."""
    taps, images = prod(spec.kernel), spec.images
    scattered = taps * prod(1 + low + high for low, high in spec.sides) if spec.padding_mode != "zeros" else taps
    table = {"fprop": taps if spec.transposed else 1, "dgrad": 1 if spec.transposed else scattered, "wgrad": images, "bgrad": 2}
    return table[op] + spec.bias


def _storage(a, acc, out):
    """(t u_out + n u) S (1 + t u_out) + t eta_out + n eta for t partials rounded to the output format."""
    t = partials(a.spec, a.op)
    return (t * out.unit + a.n * acc.unit) * a.S * (1 + t * out.unit) + t * out.eta + a.n * acc.eta


def _operand(narrow: Format) -> Bound:
    """[(2 u_t + u_t^2) + n u (1 + u_t)^2] S: both operands rounded to `narrow` first."""

    def bound(a, acc, out):
        t = narrow.unit
        under = (a.n + 1) * (acc.eta + narrow.eta)
        return ((2 * t + t * t) + a.n * acc.unit * (1 + t) ** 2) * a.S + under

    return bound


def _bf16x3(a, acc, out):
    """[3 u_b^2 (1+u_b)^2 + (n+3) u (1+u_b)^2 (1+2u_b)] S: three products of bfloat16 parts."""
    b = FORMATS["bfloat16"].unit
    return (3 * b * b * (1 + b) ** 2 + (3 * a.n + 3) * acc.unit * (1 + b) ** 2 * (1 + 2 * b)) * a.S + a.n * acc.eta


def _tensor_core(a, acc, out):
    """3 n u M: aligned block sums of 4 products, truncated, no extra bits (the most pessimistic unit known).

    References:
        Fasi, Higham, Mikaitis, Pranesh, PeerJ CS 7:e330 (2021).
    """
    M = np.asarray(a.S, np.float64) / 2 + np.abs(a.R).astype(np.float64) / 2
    return 3 * a.n * acc.unit * M + 2 * acc.unit * a.S + a.n * acc.eta


# roundings on the longest path beside the C - 1 additions: see oracle.md, class W
_WINOGRAD_STEPS = {2: 10, 4: 22}


def _winograd(m: int) -> Bound:
    def bound(a, acc, out):
        image = a.operands["x" if a.op == "fprop" else "gy"]
        channels = image.shape[0 if a.spec.batch is None else 1] // a.spec.groups
        k = channels + _WINOGRAD_STEPS[m] + a.spec.bias
        gamma = k * acc.unit / (1 - k * acc.unit)
        return gamma * winograd_magnitude(a, m) + (a.n + 64) * acc.eta

    return bound


def _winograd_any(m: int) -> Bound:
    """k u alpha sum_c max|g_c| maxpool|x_c|, for tiles that lie anywhere; alpha is 64 for F2, 2304 for F4."""
    alpha = {2: 64.0, 4: 2304.0}[m]

    def bound(a, acc, out):
        image = np.abs(a.operands["x" if a.op == "fprop" else "gy"].astype(np.float64))
        w = np.abs(a.operands["w"].astype(np.float64))
        channels = image.shape[0 if a.spec.batch is None else 1]
        k = channels + _WINOGRAD_STEPS[m] + a.spec.bias
        total = channels // a.spec.groups * w.max(initial=0) * image.max(initial=0)
        return np.full(a.R.shape, k * acc.unit * alpha * total) + acc.unit * a.S + (a.n + 64) * acc.eta

    return bound


def _fft(a, acc, out):
    return fft_bound(a, acc.unit) + 2 * acc.unit * a.S + a.n * acc.eta


def _not_bias(spec: ConvSpec, op: str) -> bool:
    return op != "bgrad"


def _is_winograd(spec: ConvSpec, op: str) -> bool:
    flat = {*spec.kernel} == {3} and {*spec.stride, *spec.dilation} == {1} and spec.ndim == 2
    return flat and op in ("fprop", "dgrad")


_ROWS = (
    Contract("plain", "sums in the accumulator in any order, rounded once", _plain, _exact_plain),
    Contract("storage", "partial results rounded to the storage format", _storage, _exact_storage, rounds_once=False),
    Contract("tf32", "operands rounded to TF32 first", _operand(TF32), _exact_operand(TF32), covers=_not_bias),
    Contract(
        "bf16", "operands rounded to bfloat16 first", _operand(FORMATS["bfloat16"]), _exact_operand(FORMATS["bfloat16"]), covers=_not_bias
    ),
    Contract("bf16x3", "three products of bfloat16 parts", _bf16x3, _never_exact, covers=_not_bias),
    Contract("tensor-core", "truncating block sums of a tensor core", _tensor_core, _exact_plain, covers=_not_bias),
    Contract("winograd2", "Winograd F(2x2,3x3), tiles from the first result", _winograd(2), _exact_winograd2, spreads=True, covers=_is_winograd),
    Contract("winograd4", "Winograd F(4x4,3x3), tiles from the first result", _winograd(4), _never_exact, spreads=True, covers=_is_winograd),
    Contract("winograd2-any", "Winograd F(2x2,3x3), tiles anywhere", _winograd_any(2), _never_exact, spreads=True, covers=_is_winograd),
    Contract("winograd4-any", "Winograd F(4x4,3x3), tiles anywhere", _winograd_any(4), _never_exact, spreads=True, covers=_is_winograd),
    Contract("fft", "fast Fourier transform: one bound for a whole plane", _fft, _never_exact, spreads=True, covers=_not_bias),
)
CONTRACTS = {c.name: c for c in _ROWS}


def contract(name: str) -> Contract:
    """The contract of that name.

    Raises:
        UnknownName: there is none; the message has all names.
    """
    if name not in CONTRACTS:
        raise UnknownName(f"no contract {name!r}; there are {', '.join(CONTRACTS)}")
    return CONTRACTS[name]
