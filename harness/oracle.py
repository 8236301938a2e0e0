"""The oracle: a convolution and its gradients by the definition, in higher precision.

It shares no code with what it judges: one loop over the kernel's taps, three
linear maps, and everything else is the same maps on other arrays. For each
result it gives

    R  the value                     sum of the products
    S  its absolute twin             sum of their absolute values
    n  the number of non-zero terms

and, where an operand holds Inf or NaN, which results must or may be NaN.

The maps act on a `wide` array (input of a convolution, already padded) and a
`narrow` one (its output); a transposed convolution is the same three maps with
the two exchanged:

    gather   narrow[o] = sum_t wide[o stride + t dilation] w[t]
    scatter  wide[o stride + t dilation] += narrow[o] w[t]
    weigh    w[t] = sum_o wide[o stride + t dilation] narrow[o]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from convlaws.spec import ConvSpec

# longdouble is 80-bit on x86, plain double elsewhere: there float64 is judged by exact fractions
EXTENDED = np.finfo(np.longdouble).machep == -63
Array = np.ndarray
Operands = Mapping[str, np.ndarray]


def precision_for(dtype: np.dtype) -> tuple[type, float]:
    """(type to sum in, its unit roundoff): float64 has room for the products of all narrower types."""
    if dtype != np.float64:
        return np.float64, 2.0**-53
    return (np.longdouble, 2.0**-64) if EXTENDED else (np.object_, 0.0)


@dataclass(frozen=True)
class Answer:
    """What the definition gives for one op on given operands; arrays have the result's shape.

    `nan` is 0 where a result must not be NaN, 1 where it may be (structural
    zeros met an Inf), 2 where it must be; None if every operand is finite.
    `infinite` is +-Inf where the result must be, else 0.
    """

    spec: ConvSpec
    op: str
    operands: Operands
    R: Array
    S: Array
    n: Array
    unit: float
    nan: Array | None = None
    infinite: Array | None = None

    @cached_property
    def lowest(self) -> tuple[Array, ...]:
        """The operands as float64: what the exactness certificate looks at."""
        return tuple(np.asarray(a, np.float64) for a in self.operands.values())


def answer(spec: ConvSpec, op: str, operands: Operands, *, exact: bool = False) -> Answer:
    """R, S, n of `op` on `operands` (see `Problem` for which it needs).

    `exact=True` sums Python fractions: slow, no rounding at all; for tests of the oracle itself.
    """
    kind, unit = precision_for(next(iter(operands.values())).dtype)
    kind, unit = (np.object_, 0.0) if exact else (kind, unit)
    finite = all(_all_finite(a) for a in operands.values())
    clean = operands if finite else {k: np.where(np.isfinite(a), a, 0).astype(a.dtype) for k, a in operands.items()}
    stacks = {role: _threefold(_cast(a, kind)) for role, a in clean.items()}
    with np.errstate(all="ignore"):
        R, S, n = _apply(spec, op, stacks)
        classes = {} if finite else _classes(spec, op, operands, R.shape)
    return Answer(spec, op, operands, R, _float(S), _float(n), unit, **classes)


def _all_finite(a: Array) -> bool:
    return bool(np.isfinite(np.asarray(a, np.float64)).all())


def _cast(a: Array, kind: type) -> Array:
    if kind is not np.object_:
        return np.asarray(a).astype(kind)
    from fractions import Fraction  # noqa: PLC0415  (slow to import, wanted by tests and odd machines only)

    flat = [Fraction(float(v)) for v in np.asarray(a, np.float64).ravel()]
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(a.shape)


def _threefold(a: Array) -> Array:
    """a, |a| and 1[a != 0], stacked: the three maps are applied to all at once."""
    return np.stack([a, abs(a), (a != 0).astype(a.dtype)])


def _float(a: Array) -> Array:
    return a.astype(np.float64) if a.dtype == object else a


# --- the four ops in terms of the three maps --------------------------------
def _apply(spec: ConvSpec, op: str, a: Operands, pad_value: float = 0.0) -> Array:
    """`op` on stacks: operands have one leading axis more, and so has the result."""
    a = {k: _batched(spec, k, v) for k, v in a.items()}
    result = OPS[op](spec, a, pad_value)
    lead = spec.batch is None and op in ("fprop", "dgrad")
    return result[:, 0] if lead else result


def _batched(spec: ConvSpec, role: str, a: Array) -> Array:
    return a[:, None] if spec.batch is None and role in ("x", "gy") else a


def _fprop(spec: ConvSpec, a: Operands, pad_value: float) -> Array:
    if spec.transposed:
        y = _crop(scatter(spec, a["x"], a["w"], _padded(spec)), spec)
    else:
        y = gather(spec, _pad(spec, a["x"], pad_value), a["w"], spec.output)
    if "b" in a:
        y = y + a["b"].reshape(len(y), 1, -1, *(1,) * spec.ndim)
    return y


def _dgrad(spec: ConvSpec, a: Operands, pad_value: float) -> Array:
    if spec.transposed:
        return gather(spec, _pad(spec, a["gy"], pad_value), a["w"], spec.extent)
    return _unpad(spec, scatter(spec, a["gy"], a["w"], _padded(spec)))


def _wgrad(spec: ConvSpec, a: Operands, pad_value: float) -> Array:
    wide, narrow = (a["gy"], a["x"]) if spec.transposed else (a["x"], a["gy"])
    return weigh(spec, _pad(spec, wide, pad_value), narrow)


def _bgrad(spec: ConvSpec, a: Operands, pad_value: float) -> Array:
    return a["gy"].sum(axis=(1, *range(3, 3 + spec.ndim)))


OPS: dict[str, Callable[[ConvSpec, Operands, float], Array]] = {
    "fprop": _fprop,
    "dgrad": _dgrad,
    "wgrad": _wgrad,
    "bgrad": _bgrad,
}


# --- padding and its adjoint -------------------------------------------------
def _padded(spec: ConvSpec) -> tuple[int, ...]:
    unpadded = spec.output if spec.transposed else spec.extent
    return tuple(low + n + high for (low, high), n in zip(spec.sides, unpadded, strict=True))


def sources(spec: ConvSpec, axis: int) -> Array:
    """For each padded position of `axis`, which input position it copies; -1 for a zero."""
    low, high = spec.sides[axis]
    extent = (spec.output if spec.transposed else spec.extent)[axis]
    at = np.arange(-low, extent + high)
    if spec.padding_mode == "circular":
        return at % extent
    if spec.padding_mode == "replicate":
        return at.clip(0, extent - 1)
    if spec.padding_mode == "reflect":
        return extent - 1 - abs(extent - 1 - abs(at))
    return np.where((at >= 0) & (at < extent), at, -1)


def _pad(spec: ConvSpec, a: Array, pad_value: float) -> Array:
    for axis in range(spec.ndim):
        if spec.sides[axis] == (0, 0):
            continue
        source = sources(spec, axis)
        a = a.take(source, axis=axis + 3)
        a[(slice(None),) * (axis + 3) + (source < 0,)] = pad_value
    return a


def _crop(a: Array, spec: ConvSpec) -> Array:
    kept = zip(spec.sides, a.shape[3:], strict=True)
    return a[(..., *(slice(low, n - high) for (low, high), n in kept))]


def _unpad(spec: ConvSpec, a: Array) -> Array:
    """The adjoint of `_pad`: each padded position adds to the one that it copies."""
    if spec.padding_mode == "zeros":
        return _crop(a, spec)
    for axis, extent in enumerate(spec.extent):
        folded = np.zeros((*a.shape[: axis + 3], extent, *a.shape[axis + 4 :]), a.dtype)
        lead = (slice(None),) * (axis + 3)
        for at, source in enumerate(sources(spec, axis)):
            folded[(*lead, source)] += a[(*lead, at)]
        a = folded
    return a


def padded(spec: ConvSpec, a: Array) -> Array:
    """A batched array (N, C, *extent) with the spec's padding around it."""
    return _pad(spec, a[None], 0.0)[0]


def folded(spec: ConvSpec, a: Array) -> Array:
    """The adjoint of `padded`, on a batched array."""
    return _unpad(spec, a[None])[0]


# --- the three maps ----------------------------------------------------------
def _taps(spec: ConvSpec, narrow: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Each tap with the slice of the wide array that it touches."""
    for tap in product(*map(range, spec.kernel)):
        starts = [t * d for t, d in zip(tap, spec.dilation, strict=True)]
        yield (
            tap,
            tuple(slice(a, a + s * (n - 1) + 1, s) for a, s, n in zip(starts, spec.stride, narrow, strict=True)),
        )


def _grouped(spec: ConvSpec, a: Array) -> Array:
    """(3, N, channels, *space) -> (3, N, groups, channels a group, positions)"""
    channels = a.shape[2] // spec.groups
    return a.reshape(*a.shape[:2], spec.groups, channels, int(np.prod(a.shape[3:], dtype=np.int64)))


def _tap_matrix(spec: ConvSpec, w: Array, tap: tuple[int, ...]) -> Array:
    """(3, 1, groups, rows a group, columns) of one tap"""
    at = w[(..., *tap)]
    return at.reshape(len(at), 1, spec.groups, at.shape[1] // spec.groups, at.shape[2])


def gather(spec: ConvSpec, wide: Array, w: Array, narrow: tuple[int, ...]) -> Array:
    """narrow[o] = sum_t wide[o stride + t dilation] w[t]; stacks of (N, columns, *) -> (N, rows, *)."""
    total: Array | int = 0
    for tap, slices in _taps(spec, narrow):
        total = total + _tap_matrix(spec, w, tap) @ _grouped(spec, wide[(..., *slices)])
    return np.asarray(total).reshape(*wide.shape[:2], w.shape[1], *narrow)


def scatter(spec: ConvSpec, narrow: Array, w: Array, wide: tuple[int, ...]) -> Array:
    """The adjoint of `gather` in its image; stacks of (N, rows, *) -> (N, columns, *wide)."""
    channels = w.shape[2] * spec.groups
    total = np.zeros((*narrow.shape[:2], channels, *wide), np.result_type(narrow, w))
    flat = _grouped(spec, narrow)
    for tap, slices in _taps(spec, narrow.shape[3:]):
        part = total[(..., *slices)]
        part += (np.swapaxes(_tap_matrix(spec, w, tap), -1, -2) @ flat).reshape(part.shape)
    return total


def weigh(spec: ConvSpec, wide: Array, narrow: Array) -> Array:
    """The adjoint of `gather` in its kernel; stacks -> (rows, columns a group, *kernel)."""
    rows, columns = narrow.shape[2], wide.shape[2] // spec.groups
    total = np.zeros((len(wide), rows, columns, *spec.kernel), np.result_type(narrow, wide))
    flat = _grouped(spec, narrow)
    for tap, slices in _taps(spec, narrow.shape[3:]):
        part = flat @ np.swapaxes(_grouped(spec, wide[(..., *slices)]), -1, -2)
        total[(..., *tap)] = part.sum(axis=1).reshape(len(wide), rows, columns)
    return total


# --- Inf and NaN ----------------------------------------------------------------
# Each operand is split into indicators of its classes; which pairs of classes
# multiply to NaN, +Inf or -Inf is IEEE 754's table, and counting such pairs is
# the same bilinear map on indicators. No Inf is ever multiplied here.
_CLASSES = {
    "nan": np.isnan,
    "inf": np.isposinf,
    "-inf": np.isneginf,
    "pos": lambda a: (a > 0) & np.isfinite(a),
    "neg": lambda a: (a < 0) & np.isfinite(a),
    "zero": lambda a: a == 0,
}
_PRODUCTS = {
    "nan": [("nan", c) for c in _CLASSES] + [(c, "nan") for c in _CLASSES if c != "nan"]
    + [("inf", "zero"), ("-inf", "zero"), ("zero", "inf"), ("zero", "-inf")],
    "inf": [("inf", "inf"), ("-inf", "-inf"), ("inf", "pos"), ("pos", "inf"), ("-inf", "neg"), ("neg", "-inf")],
    "-inf": [("inf", "-inf"), ("-inf", "inf"), ("inf", "neg"), ("neg", "inf"), ("-inf", "pos"), ("pos", "-inf")],
}


def _classes(spec: ConvSpec, op: str, operands: Operands, shape: tuple[int, ...]) -> dict[str, Array]:
    kinds = {role: {c: test(np.asarray(a, np.float64)) for c, test in _CLASSES.items()} for role, a in operands.items()}
    nan, up, down = (_count(spec, op, kinds, pairs, shape, c) for c, pairs in _PRODUCTS.items())
    must = (nan > 0) | ((up > 0) & (down > 0))
    may = _meets_structural_zero(spec, op, kinds)
    infinite = np.where(must, 0.0, np.where(up > 0, np.inf, np.where(down > 0, -np.inf, 0.0)))
    return {"nan": np.where(must, 2, may.astype(int) * np.ones(shape, int)), "infinite": infinite}


def _count(spec: ConvSpec, op: str, kinds: Mapping, pairs: list, shape: tuple[int, ...], result: str) -> Array:
    """How many terms of each result are of class `result`."""
    total = np.zeros(shape)
    if op == "bgrad":
        return total + _apply(spec, op, {"gy": kinds["gy"][result][None].astype(float)})[0]
    first, second = (role for role in kinds if role != "b")
    for left, right in pairs:
        a, b = kinds[first][left], kinds[second][right]
        if a.any() and b.any():
            total += _apply(spec, op, {first: a[None].astype(float), second: b[None].astype(float)})[0]
    if "b" in kinds:
        total += kinds["b"][result].reshape(-1, *(1,) * spec.ndim)
    return total


def _meets_structural_zero(spec: ConvSpec, op: str, kinds: Mapping) -> Array:
    """Where a zero that only some implementations multiply (padding, stride holes) can meet an Inf or NaN.

    oneDNN does either, by shape and layout, so such a result may be NaN. The
    zeros stand on the image's side; they meet the weight, or for wgrad the narrow image.
    """
    if op == "bgrad":
        return np.zeros((), bool)
    partner = "w" if op != "wgrad" else ("x" if spec.transposed else "gy")
    if not any(kinds[partner][c].any() for c in ("nan", "inf", "-inf")):
        return np.zeros((), bool)
    seen = _apply(spec, op, {r: np.ones((1, *k["nan"].shape)) for r, k in kinds.items() if r != "b"})[0]
    return seen < _full_field(spec, op)


def _full_field(spec: ConvSpec, op: str) -> int:
    """The terms of a result that no structural zero touches."""
    rows, columns = spec.w_shape[0] // spec.groups, spec.w_shape[1]
    taps = int(np.prod(spec.kernel))
    if op == "wgrad":
        return spec.images * int(np.prod(spec.extent if spec.transposed else spec.output))
    return (columns if (op == "fprop") != spec.transposed else rows) * taps
