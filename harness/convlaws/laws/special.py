"""Laws of special values: Inf, NaN, -0, subnormals, overflow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convlaws.laws.registry import Ask, law
from convlaws.oracle.claim import Claim
from convlaws.oracle.contracts import Interval
from convlaws.oracle.oracle import Answer
from convlaws.problem.fills import FILLS, PAIR, terms
from convlaws.problem.formats import round_to
from convlaws.problem.problem import Problem
from convlaws.problem.scope import SEPARATE, WIDE, Scope

# Inf and NaN are put into problems of the fill `special` only: the fill says which methods are asked of them
Operands = Mapping[str, np.ndarray]


# --- Inf and NaN ------------------------------------------------------------------
def within_the_field(p: Problem, ask: Ask, operands: Operands) -> list[Claim]:
    """The definition's claim; of methods that spread Inf and NaN only what even they must keep.

    An FFT or a Winograd tile carries an Inf or NaN to results that do not see it, and turns Inf into NaN.
    Still a result that does see it is not finite, and an image without any is as it should be.
    """
    got = ask.reply(p.spec, p.op, operands).output
    answer, allowed = ask.definition(p.spec, p.op, operands)
    if not ask.spreads or answer.nan is None:
        return [Claim.of_answer(got, answer, allowed)]
    must = (answer.nan == 2) | (np.asarray(answer.infinite) != 0)
    finite = np.isfinite(got.astype(np.float64))[must].astype(np.float64)
    none = np.zeros(finite.shape)
    return [
        Claim(finite, none, none, "finite (1) though it sees an Inf or NaN", "not finite (0)"),
        *_calm(got, answer, allowed),
    ]


def _calm(got: np.ndarray, answer: Answer, allowed: Interval) -> list[Claim]:
    """What the definition says of images that hold no Inf or NaN, where the kernel holds none either."""
    image = answer.operands.get({"fprop": "x", "dgrad": "gy"}.get(answer.op, ""))
    if image is None or answer.spec.batch is None or not _finite(answer.operands["w"]).all():
        return []
    calm = _finite(image).all(axis=tuple(range(1, image.ndim)))
    free = None if allowed.free is None else allowed.free[calm]
    return [Claim(got[calm], allowed.low[calm], allowed.high[calm], "got in an image without Inf or NaN", free=free)]


def _calmed(p: Problem) -> dict[str, np.ndarray]:
    """The operands with every Inf and NaN replaced: a law puts its own where it wants one."""
    return {role: np.where(_finite(a), a, np.ones_like(a)) for role, a in p.operands.items()}


def _finite(a: np.ndarray) -> np.ndarray:
    return np.isfinite(a.astype(np.float64))


@law(Scope(**WIDE, layouts=SEPARATE, fills=("special",)), specific=3)
def special_values_stay_within_their_receptive_field(p: Problem, ask: Ask) -> list[Claim]:
    """An Inf or NaN in one place of an image reaches the results that see that place, and no others.

    A tap of zero sees it too: 0 Inf is NaN, and who skips zeros says otherwise. So some taps are zero.
    """
    rng, calm = p.rng("poke"), _calmed(p)
    role = str(rng.choice([r for r in calm if r in ("x", "gy")]))
    poked = calm[role].copy()
    if not poked.size:
        return []
    poked.flat[int(rng.integers(poked.size))] = rng.choice([np.nan, np.inf, -np.inf])
    if "w" in calm:
        calm["w"] = np.where(rng.random(calm["w"].shape) < 0.25, np.zeros_like(calm["w"]), calm["w"])
    return within_the_field(p, ask, {**calm, role: poked})


@law(Scope(**WIDE, ops=("fprop", "dgrad"), fills=("special",)), specific=3)
def nan_weights_spread_to_their_channel_only(p: Problem, ask: Ask) -> Claim | list[Claim]:
    """A NaN in the kernel leaves every channel but that of its row (dgrad: column) as it was."""
    calm = _calmed(p)
    w = calm["w"].copy()
    place = np.unravel_index(int(p.rng("poke").integers(w.size)), w.shape)
    w[place] = np.nan
    poked = {**calm, "w": w}
    if ask.spreads:
        return within_the_field(p, ask, poked)
    row, column, *_ = map(int, place)
    group = row * p.spec.groups // len(w)
    channel = row if (p.op == "fprop") != p.spec.transposed else group * w.shape[1] + column
    got, was = (ask(p.spec, p.op, a).moved(lambda a: np.delete(a, channel, -1 - p.spec.ndim)) for a in (poked, calm))
    return Claim.equal(got.called(f"with a NaN for channel {channel}, another one"), was.called("without it"))


# --- zeros, small, large ----------------------------------------------------------
@law(Scope(**WIDE, fills=tuple(f for f in FILLS if f != "special")), specific=3, unless="varies")
def signed_zero_is_a_zero(p: Problem, ask: Ask) -> Claim:
    """A zero's sign in the operands changes no result but the sign of a zero."""
    rng, plus, minus = p.rng("zeros"), {}, {}
    for role, a in p.operands.items():
        where = rng.integers(0, 2, size=(1, *a.shape[1:]) if p.layout == "expanded" else a.shape) > 0
        plus[role], minus[role] = (np.where(where, np.full_like(a, zero), a) for zero in (0.0, -0.0))
    got = ask.reply(p.spec, p.op, minus).output
    return Claim.same_bits(got, ask.reply(p.spec, p.op, plus).output, "with zeros of sign -", "with zeros of sign +")


@law(Scope(**WIDE, layouts=SEPARATE, fills=("tiny",)), specific=3)
def subnormals_are_kept(p: Problem, ask: Ask) -> Claim:
    """Subnormal numbers through a kernel of ones and zeros keep their bits: none is flushed to zero."""
    rng, bits = p.rng("subnormal"), p.format.bits
    image, kernel = PAIR[p.op] if p.op != "dgrad" else PAIR[p.op][::-1]
    shape = p.operands[image].shape
    # all in the upper half of the subnormals, so that the norm-wise bound of an FFT counts many of them
    whole = rng.integers(2 ** (bits - 2), 2 ** (bits - 1), size=shape) * rng.choice([-1, 1], size=shape)
    ones = rng.random(p.operands[kernel].shape) * terms(p.spec, p.op) < 2
    change = {kernel: ones.astype(p.format.dtype), image: (whole * p.format.eta).astype(p.format.dtype)}
    operands = {role: change.get(role, a) for role, a in p.operands.items()}
    return Claim.of_answer(ask.reply(p.spec, p.op, operands).output, *ask.definition(p.spec, p.op, operands))


@law(Scope(**WIDE, ops=("fprop", "dgrad", "wgrad"), fills=("huge",)), specific=3)
def overflow_gives_infinity_of_the_right_sign(p: Problem, ask: Ask) -> Claim | list[Claim]:
    """Terms of one sign never cancel: a sum that overflows is that sign's infinity, and no other sum is."""
    if ask.spreads:  # there a transform may overflow though no result does
        return []
    rng, (first, _) = p.rng("sign"), PAIR[p.op]
    sign, up = float(rng.choice([-1, 1])), 2.0 ** int(rng.integers(0, 3))
    operands = {r: _times(np.abs(a), up if r == first else sign) for r, a in p.operands.items()}
    got = ask.reply(p.spec, p.op, operands).output
    answer, allowed = ask.definition(p.spec, p.op, operands)
    # the interval holds though partial sums may overflow, and beyond it nothing can change the sign
    low, high = (round_to(p.format, end) for end in (allowed.low, allowed.high))
    scale = np.minimum(answer.S, p.format.maximum).astype(np.float64)
    low, high = (np.fmax(low, 0), np.fmax(high, 0)) if sign > 0 else (np.fmin(low, 0), np.fmin(high, 0))
    return Claim(got, low, high, f"a sum of terms of sign {sign:+.0f}", n=answer.n, scale=scale)


def _times(a: np.ndarray, factor: float) -> np.ndarray:
    return (a.astype(np.float64) * factor).astype(a.dtype)
