"""Laws of algebra: a convolution is linear in each operand, and floating point keeps part of that bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from convlaws.laws.registry import Ask, law
from convlaws.oracle.claim import Approx, Claim
from convlaws.problem.fills import FILLS
from convlaws.problem.formats import Format, round_to
from convlaws.problem.problem import RESULT, ROLES, Problem
from convlaws.problem.scope import FINITE, SEPARATE, WIDE, Scope
from convlaws.problem.spec import ConvSpec

CALM = tuple(f for f in FILLS if f != "special")
# float16 is left out: its results become subnormal within a few binades
WIDE_RANGE = ("float64", "float32", "bfloat16")


def _with(p: Problem, change: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The operands with some exchanged; those that the op does not read are left out."""
    return {role: change.get(role, a) for role, a in p.operands.items()}


# --- additive ---------------------------------------------------------------------
def _split(p: Problem, role: str) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays whose sum is exactly the operand: each element goes to one of them."""
    a = p.operands[role]
    shape = (1, *a.shape[1:]) if p.layout == "expanded" else a.shape  # there all images are one
    first = p.rng("split").integers(0, 2, size=shape, dtype=np.int8) > 0
    zero = np.zeros_like(a)
    return np.where(first, a, zero), np.where(first, zero, a)


def _unbiased(p: Problem) -> tuple[ConvSpec, dict[str, np.ndarray]]:
    """The spec without a bias that would be added, and the operands without it."""
    spec = replace(p.spec, bias=p.spec.bias and p.op != "fprop")
    return spec, {role: a for role, a in p.operands.items() if role != "b"}


def _additive(p: Problem, ask: Ask, role: str) -> Claim:
    one, two = _split(p, role)
    spec, rest = _unbiased(p)
    parts = ask(p.spec, p.op, _with(p, {role: one})) + ask(spec, p.op, {**rest, role: two})
    whole = ask(p.spec, p.op, p.operands)
    return Claim.equal(whole.called("the whole"), parts.called("the sum of both parts"))


@law(Scope(**WIDE, ops=("fprop", "wgrad"), fills=FINITE))
def additive_in_x(p: Problem, ask: Ask) -> Claim:
    """op(x1 + x2) = op(x1) + op(x2), with the bias in one of them."""
    return _additive(p, ask, "x")


@law(Scope(**WIDE, ops=("fprop", "dgrad"), fills=FINITE))
def additive_in_w(p: Problem, ask: Ask) -> Claim:
    """op(w1 + w2) = op(w1) + op(w2), with the bias in one of them."""
    return _additive(p, ask, "w")


@law(Scope(**WIDE, ops=("dgrad", "wgrad", "bgrad"), fills=FINITE))
def additive_in_gy(p: Problem, ask: Ask) -> Claim:
    """op(gy1 + gy2) = op(gy1) + op(gy2)."""
    return _additive(p, ask, "gy")


# --- homogeneous ------------------------------------------------------------------
def _roomy(fmt: Format, a: np.ndarray) -> np.ndarray:
    """`a` with two bits less, so that three times it is exact."""
    short = Format(f"{fmt.name} less two bits", fmt.bits - 2, fmt.least, fmt.most)
    return round_to(short, a.astype(np.float64)).astype(a.dtype)


def _times(a: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
    """The exact product, in the dtype of `a`: factors are powers of two, or there is room."""
    return (a.astype(np.float64) * factor).astype(a.dtype)


def _one_of(p: Problem) -> str:
    """One of the two operands of the op (bgrad has one)."""
    return str(p.rng("operand").choice([r for r in ROLES[p.op] if r != "b"]))


@law(Scope(**WIDE, ops=("fprop", "dgrad", "wgrad"), fills=FINITE))
def homogeneous(p: Problem, ask: Ask) -> Claim:
    """Three times an operand (and the bias) gives three times the result."""
    base = {role: _roomy(p.format, a) for role, a in p.operands.items()}
    grown = {role: _times(a, 3.0) if role in ("b", _one_of(p)) else a for role, a in base.items()}
    thrice = ask(p.spec, p.op, base) * 3.0
    return Claim.equal(ask(p.spec, p.op, grown).called(f"op(3 {_one_of(p)})"), thrice.called("3 op"))


# --- the bias ---------------------------------------------------------------------
def _spread_bias(p: Problem) -> np.ndarray:
    """The bias as an array of y's shape."""
    return np.broadcast_to(p.operands["b"].reshape(-1, *(1,) * p.spec.ndim), p.spec.y_shape)


@law(Scope(**WIDE, ops=("fprop",), bias=(True,), fills=FINITE), specific=3)
def bias_is_added_once(p: Problem, ask: Ask) -> Claim:
    """conv(x, w, b) - conv(x, w) = b at every place of a channel."""
    spec, rest = _unbiased(p)
    added = ask(p.spec, p.op, p.operands) - ask(spec, p.op, rest)
    bias = _spread_bias(p).astype(added.value.dtype)
    return Claim.equal(added.called("what the bias adds"), Approx(bias, np.zeros(bias.shape), "the bias"))


@law(Scope(**WIDE, ops=("fprop",), bias=(True,), fills=CALM), specific=2)
def zero_input_gives_the_bias(p: Problem, ask: Ask) -> list[Claim]:
    """An image of zeros, or a kernel of zeros, gives the bias: nothing is rounded."""
    claims = []
    for role in ("x", "w"):
        zeroed = _with(p, {role: np.zeros_like(p.operands[role])})
        claim = Claim.of_answer(ask.reply(p.spec, p.op, zeroed).output, *ask.definition(p.spec, p.op, zeroed))
        claims.append(replace(claim, left=f"the result for {role} = 0", right="the bias"))
    return claims


# --- bit for bit ------------------------------------------------------------------
@law(Scope(**WIDE, fills=CALM), specific=2, unless="varies")
def negation_bit_for_bit(p: Problem, ask: Ask) -> Claim:
    """Negating an operand (and the bias) negates the result bit for bit, as rounding to nearest is symmetric."""
    role = _one_of(p)
    negated = _with(p, {r: -a for r, a in p.operands.items() if r in (role, "b")})
    got = ask.reply(p.spec, p.op, negated).output
    return Claim.same_bits(-got, ask.reply(p.spec, p.op, p.operands).output, f"-op(-{role})", "op")


@law(Scope(**WIDE, dtypes=WIDE_RANGE, fills=FINITE), specific=2, unless="varies")
def powers_of_two_bit_for_bit(p: Problem, ask: Ask) -> Claim:
    """2^k times an operand (and the bias) gives 2^k times the result bit for bit: no threshold is absolute."""
    role = _one_of(p)
    factor = 2.0 ** int(p.rng("power").choice([-3, -2, -1, 1, 2, 3]))
    scaled = _with(p, {r: _times(a, factor) for r, a in p.operands.items() if r in (role, "b")})
    got = ask.reply(p.spec, p.op, scaled).output
    right = _times(ask.reply(p.spec, p.op, p.operands).output, factor)
    return Claim.same_bits(got, right, f"op({factor:g} {role})", f"{factor:g} op")


def _factors(p: Problem, count: int) -> np.ndarray:
    return np.exp2(p.rng("powers").integers(-3, 4, size=count))


def _along(spec: ConvSpec, role: str, side: str, factors: np.ndarray) -> np.ndarray:
    """`factors` of the channels of one side, "in" or "out", shaped to multiply the array of `role`."""
    tail = (1,) * spec.ndim
    if role == "b":
        return factors
    if role != "w":
        return factors.reshape(-1, *tail)
    if (side == "in") == spec.transposed:
        return factors.reshape(-1, 1, *tail)
    rows, columns = spec.w_shape[:2]
    return np.repeat(factors.reshape(spec.groups, columns), rows // spec.groups, axis=0).reshape(rows, columns, *tail)


# op: the side whose channels are summed over, and the operand that has them beside w
_SUMMED = {"fprop": ("in", "x"), "dgrad": ("out", "gy")}


@law(Scope(**WIDE, ops=("fprop", "dgrad"), dtypes=WIDE_RANGE, fills=FINITE, layouts=SEPARATE), specific=2, unless="varies")
def powers_of_two_cancel_in_a_channel(p: Problem, ask: Ask) -> Claim:
    """2^k on a channel of the image and 2^-k on its column of the kernel leave every bit as it was."""
    side, image = _SUMMED[p.op]
    factors = _factors(p, p.spec.in_channels if side == "in" else p.spec.out_channels)
    up = _times(p.operands[image], _along(p.spec, image, side, factors))
    down = _times(p.operands["w"], _along(p.spec, "w", side, 1 / factors))
    rescaled = _with(p, {image: up, "w": down})
    if ask.spreads:  # a Fourier transform may run over the channels too (scipy.signal.correlate's does)
        left, right = (ask(p.spec, p.op, a) for a in (rescaled, p.operands))
        return Claim.equal(left.called("rescaled channels"), right.called("as they were"))
    got, was = (ask.reply(p.spec, p.op, a).output for a in (rescaled, p.operands))
    return Claim.same_bits(got, was, "rescaled channels", "as they were")


# op: the side of the channels that are scaled, and the operands that have them
_KEPT = {"fprop": ("out", ("w", "b")), "dgrad": ("in", ("w",)), "wgrad": ("out", ("gy",)), "bgrad": ("out", ("gy",))}


@law(Scope(**WIDE, dtypes=WIDE_RANGE, fills=FINITE, layouts=SEPARATE), specific=2, unless="varies")
def result_channels_scale_on_their_own(p: Problem, ask: Ask) -> Claim:
    """2^k for each channel of the result scales that channel bit for bit, and no other."""
    side, roles = _KEPT[p.op]
    factors = _factors(p, p.spec.in_channels if side == "in" else p.spec.out_channels)
    scaled = {r: _times(p.operands[r], _along(p.spec, r, side, factors)) for r in roles if r in p.operands}
    got = ask.reply(p.spec, p.op, _with(p, scaled)).output
    plain = ask.reply(p.spec, p.op, p.operands).output
    right = _times(plain, _along(p.spec, RESULT[p.op], side, factors))
    return Claim.same_bits(got, right, "op of scaled channels", "scaled channels of op")
