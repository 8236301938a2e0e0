"""The four ops by the definition: padding, three linear maps, and the adjoint of padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from convlaws.maps import gather, scatter, weigh
from convlaws.spec import ConvSpec

Array = np.ndarray
Operands = Mapping[str, np.ndarray]


def apply(spec: ConvSpec, op: str, a: Operands) -> Array:
    """`op` on stacks: operands have one leading axis more, and so has the result."""
    a = {k: _batched(spec, k, v) for k, v in a.items()}
    result = OPS[op](spec, a)
    lead = spec.batch is None and op in ("fprop", "dgrad")
    return result[:, 0] if lead else result


def _batched(spec: ConvSpec, role: str, a: Array) -> Array:
    return a[:, None] if spec.batch is None and role in ("x", "gy") else a


def _fprop(spec: ConvSpec, a: Operands) -> Array:
    if spec.transposed:
        y = _crop(scatter(spec, a["x"], a["w"], _padded(spec)), spec)
    else:
        y = gather(spec, _pad(spec, a["x"]), a["w"], spec.output)
    if "b" in a:
        y = y + a["b"].reshape(len(y), 1, -1, *(1,) * spec.ndim)
    return y


def _dgrad(spec: ConvSpec, a: Operands) -> Array:
    if spec.transposed:
        return gather(spec, _pad(spec, a["gy"]), a["w"], spec.extent)
    return _unpad(spec, scatter(spec, a["gy"], a["w"], _padded(spec)))


def _wgrad(spec: ConvSpec, a: Operands) -> Array:
    wide, narrow = (a["gy"], a["x"]) if spec.transposed else (a["x"], a["gy"])
    return weigh(spec, _pad(spec, wide), narrow)


def _bgrad(spec: ConvSpec, a: Operands) -> Array:
    return a["gy"].sum(axis=(1, *range(3, 3 + spec.ndim)))


OPS: dict[str, Callable[[ConvSpec, Operands], Array]] = {
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


def _pad(spec: ConvSpec, a: Array) -> Array:
    for axis in range(spec.ndim):
        if spec.sides[axis] == (0, 0):
            continue
        source = sources(spec, axis)
        a = a.take(source, axis=axis + 3)
        a[(slice(None),) * (axis + 3) + (source < 0,)] = 0
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
    return _pad(spec, a[None])[0]


def folded(spec: ConvSpec, a: Array) -> Array:
    """The adjoint of `padded`, on a batched array."""
    return _unpad(spec, a[None])[0]
