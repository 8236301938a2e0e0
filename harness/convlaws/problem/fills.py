"""Generate the numbers of a problem from its seed: one function per fill.

Only NumPy's Philox is used: the streams of torch's and CUDA's generators differ
between versions and devices.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2, prod

import numpy as np

from convlaws.problem.formats import Format, accumulator, round_to
from convlaws.problem.spec import ConvSpec

SPECIALS = (np.inf, -np.inf, np.nan, -0.0)


@dataclass(frozen=True)
class Recipe:
    """The properties of an array that a fill depends on.

    `terms` bounds the number of products that one result of the op sums; `wide` marks the
    operand with long mantissas; `kernel` marks the one that the fills `onehot` and
    `sparse` make mostly zero; `keep` is the axis of its results.
    """

    fmt: Format
    terms: int
    wide: bool
    kernel: bool
    groups: int
    keep: int
    bias: bool = False


def generator(seed: int, tag: str) -> np.random.Generator:
    """Return a separate random stream for each (seed, tag)."""
    return np.random.Generator(np.random.Philox(key=[seed, zlib.crc32(tag.encode())]))


def _signed(rng, shape, bits: int) -> np.ndarray:
    """Return integers of up to `bits` bits, never zero: zero terms would hide index faults."""
    magnitude = rng.integers(1, 2 ** max(bits, 1), size=shape, dtype=np.int64)
    return np.where(rng.integers(0, 2, size=shape, dtype=np.int8), magnitude, -magnitude).astype(np.float64)


def _budget(r: Recipe) -> tuple[int, int]:
    """Return the bits of the wide and of the narrow operand for which S <= 2^p of the accumulator."""
    room = accumulator(r.fmt).bits - ceil(log2(r.terms + 1))
    cap = {24: 13, 53: 27}.get(r.fmt.bits, r.fmt.bits)
    wide = max(1, min(cap, room - 1))
    return wide, max(1, min(cap, room - wide))


def integers(rng, shape, r: Recipe) -> np.ndarray:
    """Bit-budget integers: every partial sum is exact in the accumulator and uses its upper bits.

    A half output would overflow, so there the operands are scaled by powers of two.
    """
    wide, narrow = _budget(r)
    spare = max(0, wide + narrow + ceil(log2(r.terms + 1) / 2) - 12) if r.fmt.bits < 24 else 0
    down_wide, down_narrow = (spare + 1) // 2, spare // 2
    if r.bias:
        return np.ldexp(_signed(rng, shape, min(wide + narrow, r.fmt.bits)), -spare)
    bits, down = (wide, down_wide) if r.wide else (narrow, down_narrow)
    return np.ldexp(_signed(rng, shape, bits), -down)


def _full(rng, shape, bits: int) -> np.ndarray:
    """Return numbers of [1/2, 1) with all mantissa bits in use, with random signs."""
    magnitude = rng.integers(2 ** (bits - 1), 2**bits, size=shape, dtype=np.int64).astype(np.float64)
    return np.ldexp(np.where(rng.integers(0, 2, size=shape, dtype=np.int8), magnitude, -magnitude), -bits)


def onehot(rng, shape, r: Recipe) -> np.ndarray:
    """An impulse for each result channel, and images of full mantissas: each result is one product."""
    if not r.kernel or r.bias:
        return _full(rng, shape, r.fmt.bits)
    return _one_a_result(rng, shape, r) * np.ldexp(1.0, int(rng.integers(-2, 3)))


def _one_a_result(rng, shape, r: Recipe) -> np.ndarray:
    """Return zeros with one +-1 among the elements that each result channel (of each group) sums."""
    parts, keep = (r.groups if shape[0] % r.groups == 0 else 1), r.keep
    w = np.zeros((parts, shape[0] // parts, *shape[1:]))
    moved = np.moveaxis(w, keep + 1, 1)
    flat = np.zeros((moved.shape[0] * moved.shape[1], prod(moved.shape[2:])))
    if flat.size:
        at = rng.integers(0, flat.shape[1], size=len(flat))
        flat[np.arange(len(flat)), at] = rng.choice([-1.0, 1.0], size=len(flat))
    return np.moveaxis(flat.reshape(moved.shape), 1, keep + 1).reshape(shape)


def sparse(rng, shape, r: Recipe) -> np.ndarray:
    """Full mantissas and about six non-zero terms per result: faults of one term are visible at any size."""
    values = rng.standard_normal(shape)
    if not r.kernel or r.bias:
        return values
    return np.where(rng.random(shape) * r.terms < 6, values, 0.0)


def normal(rng, shape, r: Recipe) -> np.ndarray:
    """Standard normal numbers, dense."""
    return rng.standard_normal(shape)


def ones(rng, shape, r: Recipe) -> np.ndarray:
    """All ones: they count terms, and people shrink to them."""
    return np.ones(shape)


def wild(rng, shape, r: Recipe) -> np.ndarray:
    """Magnitudes over many binades: cannot reveal a wrong single term, but stress-tests for false alarms."""
    span = 5 if r.fmt.most < 20 else 12
    return rng.standard_normal(shape) * np.exp2(rng.uniform(-span, span, size=shape))


def tiny(rng, shape, r: Recipe) -> np.ndarray:
    """Products near the smallest normal number: subnormal results."""
    return np.ldexp(rng.standard_normal(shape), (r.fmt.least - r.fmt.bits // 2) // (1 if r.bias else 2))


def huge(rng, shape, r: Recipe) -> np.ndarray:
    """Products near the largest number: some results overflow."""
    return np.ldexp(rng.standard_normal(shape), r.fmt.most // 2)


def special(rng, shape, r: Recipe) -> np.ndarray:
    """Small integers with one or two of Inf, -Inf, NaN, -0; the kernel operand gets some in one of four draws."""
    values = _signed(rng, shape, 3)
    if values.size and not r.bias and (not r.kernel or rng.integers(0, 4) == 0):
        where = rng.integers(0, values.size, size=int(rng.integers(1, 3)))
        values.flat[where] = rng.choice(SPECIALS, size=len(where))
    return values


Fill = Callable[[np.random.Generator, tuple, Recipe], np.ndarray]
FILLS: dict[str, Fill] = {f.__name__: f for f in (integers, onehot, sparse, normal, ones, wild, tiny, huge, special)}


def terms(spec: ConvSpec, op: str) -> int:
    """Return an upper bound on the number of products that one result of `op` sums, bias included."""
    rows, columns = spec.w_shape[:2]
    inward, outward = (rows // spec.groups, columns) if spec.transposed else (columns, rows // spec.groups)
    counts = {
        "fprop": inward * prod(spec.kernel) + spec.bias,
        "dgrad": outward * prod(spec.kernel) * _folds(spec),
        "wgrad": spec.images * prod(spec.extent if spec.transposed else spec.output),
        "bgrad": spec.images * prod(spec.output),
    }
    return max(1, counts[op])


def _folds(spec: ConvSpec) -> int:
    """Return how often one input element can occur in the padded input."""
    if spec.padding_mode == "zeros":
        return 1
    if spec.padding_mode == "replicate":
        return prod(1 + low + high for low, high in spec.sides)
    return prod(1 + (low > 0) + (high > 0) for low, high in spec.sides)


PAIR = {"fprop": ("x", "w"), "dgrad": ("w", "gy"), "wgrad": ("x", "gy"), "bgrad": ("gy", "gy")}


def recipe(spec: ConvSpec, op: str, fmt: Format, role: str, seed: int) -> Recipe:
    """Return the recipe of `role` for `op`; the seed's parity selects the wide operand."""
    pair = PAIR[op]
    kernel = "w" if "w" in pair else "gy"
    # a weight's results run along its first axis, or, for the adjoint map, along its second
    keep = int((op == "dgrad") != spec.transposed) if kernel == "w" else int(spec.batch is not None)
    groups = spec.groups if kernel == "w" else 1  # only on a weight's first axis are the groups consecutive
    wide = role == pair[seed % 2] or op == "bgrad"
    return Recipe(fmt, terms(spec, op), wide, role == kernel, groups, keep, bias=role == "b")


def filled(fill: str, rng: np.random.Generator, shape: tuple, r: Recipe) -> np.ndarray:
    """Return an array of `shape` in the format's own dtype."""
    return np.ascontiguousarray(round_to(r.fmt, FILLS[fill](rng, shape, r)).astype(r.fmt.dtype))
