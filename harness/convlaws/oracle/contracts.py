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

import numpy as np

from convlaws.errors import UnknownName
from convlaws.oracle.bound_terms import fft_bound, fft_channels_bound
from convlaws.oracle.bounds import (
    Bound,
    bf16x3,
    exact_flushing,
    exact_operand,
    exact_plain,
    exact_storage,
    exact_winograd2,
    flushing,
    never_exact,
    operand_bound,
    plain_bound,
    single,
    storage_bound,
    tensor_core,
    transformed,
    winograd_any,
    winograd_bound,
)
from convlaws.oracle.oracle import Answer, floats
from convlaws.problem.formats import FORMATS, TF32, Format, accumulator, round_to
from convlaws.problem.spec import ConvSpec

SPREAD = 8192  # more than the factor by which a Winograd or Fourier matrix, applied twice, enlarges an operand
SAFE = 1 + 2.0**-40  # S itself is computed in float64


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
        """Return this contract, or plain where the algorithm does not apply (a bias gradient is a plain sum)."""
        return self if self.covers(spec, op) else CONTRACTS["plain"]


@dataclass(frozen=True)
class Interval:
    """The interval of each result, and R, all in float64 or wider."""

    low: np.ndarray
    high: np.ndarray
    middle: np.ndarray
    free: np.ndarray | None  # True where partial sums may overflow: any value is allowed


def interval(a: Answer, contract: Contract, fmt: Format, *, certify: bool = True) -> Interval:
    """Return the interval of results that `contract` allows for the answer `a`, stored in `fmt`.

    `certify=False` omits the certificate of exactness: for an answer that is a sum of two,
    whose operands do not determine the grain of its terms.

    References:
        Jeannerod and Rump, SIMAX 34 (2013), for n u in place of gamma_n.
    """
    contract, acc = contract.applied_to(a.spec, a.op), accumulator(fmt)
    R = floats(a.R)
    with np.errstate(all="ignore"):
        # a result without terms is exact, except that a spreading contract brings in the roundings of other results
        exact = contract.exact(a, acc, fmt) if certify else (a.n == 0) & (not contract.spreads)
        B = np.where(exact, 0.0, contract.bound(a, acc, fmt) * SAFE + a.n * a.unit * a.S)
        if a.R.dtype == object:  # exact fractions, which `floats` has rounded to float64
            B = B + np.where(B > 0, 2.0**-53 * a.S + FORMATS["float64"].eta, 0.0)
        low, high = R - B, R + B
        if contract.rounds_once:
            low, high = round_to(fmt, low), round_to(fmt, high)
        free = _may_overflow(a, contract, B, acc.maximum if contract.rounds_once else fmt.maximum)
    if a.infinite is not None:
        low, high = (np.where(a.infinite != 0, a.infinite, end) for end in (low, high))
    return Interval(low, high, R, free)


def _may_overflow(a: Answer, contract: Contract, B: np.ndarray, limit: float) -> np.ndarray | None:
    if contract.spreads:  # a transform sums whole images, so one overflow reaches all results
        mass = [float(np.abs(v[np.isfinite(v)]).sum()) for v in a.lowest]
        return np.ones(a.R.shape, bool) if SPREAD * float(np.prod([m for m in mass if m] or [0])) > limit else None
    over = limit < a.S + B  # a partial sum is at most S, with an error of at most B
    return over if over.any() else None


def _not_bias(spec: ConvSpec, op: str) -> bool:
    return op != "bgrad"


def _is_winograd(spec: ConvSpec, op: str) -> bool:
    flat = {*spec.kernel} == {3} and {*spec.stride, *spec.dilation} == {1} and spec.ndim == 2
    return flat and op in ("fprop", "dgrad")


# the tighter first, as far as they are comparable
_ROWS = (
    Contract("plain", "sums in the accumulator in any order, rounded once", plain_bound, exact_plain),
    Contract("ftz", "plain, but subnormal numbers may be flushed to zero anywhere", flushing, exact_flushing),
    Contract("tensor-core", "truncating block sums of a tensor core", tensor_core, exact_plain, covers=_not_bias),
    Contract(
        "winograd2",
        "Winograd F(2x2,3x3), tiles from the first result",
        winograd_bound(2),
        exact_winograd2,
        spreads=True,
        covers=_is_winograd,
    ),
    Contract(
        "winograd2-any",
        "Winograd F(2x2,3x3), tiles anywhere",
        winograd_any(2),
        never_exact,
        spreads=True,
        covers=_is_winograd,
    ),
    Contract(
        "winograd4",
        "Winograd F(4x4,3x3), tiles from the first result",
        winograd_bound(4),
        never_exact,
        spreads=True,
        covers=_is_winograd,
    ),
    Contract(
        "winograd4-any",
        "Winograd F(4x4,3x3), tiles anywhere",
        winograd_any(4),
        never_exact,
        spreads=True,
        covers=_is_winograd,
    ),
    Contract(
        "winograd6",
        "Winograd F(6x6,3x3), tiles from the first result",
        winograd_bound(6),
        never_exact,
        spreads=True,
        covers=_is_winograd,
    ),
    Contract(
        "winograd6-any",
        "Winograd F(6x6,3x3), tiles anywhere",
        winograd_any(6),
        never_exact,
        spreads=True,
        covers=_is_winograd,
    ),
    Contract(
        "fft",
        "fast Fourier transform: one bound for a whole plane",
        transformed(fft_bound),
        never_exact,
        spreads=True,
        covers=_not_bias,
    ),
    Contract(
        "fft-channels",
        "the same over the channels too: one bound for a whole image",
        transformed(fft_channels_bound, axes=1),
        never_exact,
        spreads=True,
        covers=lambda spec, op: op == "fprop" and spec.groups == 1 and not spec.transposed and spec.padding_mode == "zeros",
    ),
    Contract("single", "computed in float32, whatever type is asked for", single, never_exact),
    Contract("bf16x3", "three products of bfloat16 parts", bf16x3, never_exact, covers=_not_bias),
    Contract("tf32", "operands rounded to TF32 first", operand_bound(TF32), exact_operand(TF32), covers=_not_bias),
    Contract("storage", "partial results rounded to the storage format", storage_bound, exact_storage, rounds_once=False),
    Contract(
        "bf16",
        "operands rounded to bfloat16 first",
        operand_bound(FORMATS["bfloat16"]),
        exact_operand(FORMATS["bfloat16"]),
        covers=_not_bias,
    ),
)
CONTRACTS = {c.name: c for c in _ROWS}
TIGHTEST = "plain"  # all other contracts allow everything that it allows


def contract(name: str) -> Contract:
    """Return the contract of that name.

    Raises:
        UnknownName: there is none; the message has all names.
    """
    if name not in CONTRACTS:
        raise UnknownName(f"no contract {name!r}; there are {', '.join(CONTRACTS)}")
    return CONTRACTS[name]
