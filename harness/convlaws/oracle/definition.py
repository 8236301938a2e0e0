"""The four ops by the definition: padding, three linear maps, and the adjoint of padding.

Padding covers, in this order: zeros between the elements, cropping where it is negative,
and copies where its mode asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from convlaws.oracle.linear_maps import gather, scatter, weigh
from convlaws.problem.spec import ConvSpec

Array = np.ndarray
Operands = Mapping[str, np.ndarray]


def apply(spec: ConvSpec, op: str, a: Operands) -> Array:
    """Apply `op` to stacks: operands and result have one additional leading axis."""
    a = {k: _batched(spec, k, v) for k, v in a.items()}
    result = OPS[op](spec, a)
    lead = spec.batch is None and op in ("fprop", "dgrad")
    return result[:, 0] if lead else result


def _batched(spec: ConvSpec, role: str, a: Array) -> Array:
    return a[:, None] if spec.batch is None and role in ("x", "gy") else a


def _fprop(spec: ConvSpec, a: Operands) -> Array:
    if spec.transposed:
        y = _crop(scatter(spec, a["x"], a["w"], spec.padded), spec)
    else:
        y = gather(spec, _pad(spec, a["x"]), a["w"], spec.output)
    if "b" in a:
        y = y + a["b"].reshape(len(y), 1, -1, *(1,) * spec.ndim)
    return y


def _dgrad(spec: ConvSpec, a: Operands) -> Array:
    if spec.transposed:
        return gather(spec, _pad(spec, a["gy"]), a["w"], spec.extent)
    return _unpad(spec, scatter(spec, a["gy"], a["w"], spec.padded))


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
def _unpadded(spec: ConvSpec) -> tuple[int, ...]:
    return spec.output if spec.transposed else spec.extent


def sources(spec: ConvSpec, axis: int) -> Array:
    """Return, for each padded position of `axis`, the input position that it copies; -1 for a zero."""
    low, step = spec.sides[axis][0], spec.input_dilation[axis]
    extent = _unpadded(spec)[axis]
    at = np.arange(spec.padded[axis]) - low
    if spec.padding_mode == "circular":
        return at % extent
    if spec.padding_mode == "replicate":
        return at.clip(0, extent - 1)
    if spec.padding_mode == "reflect":
        return extent - 1 - abs(extent - 1 - abs(at))
    return np.where((at >= 0) & (at < extent * step) & (at % step == 0), at // step, -1)


def _bare(spec: ConvSpec, axis: int) -> bool:
    """True if `axis` is neither padded, cropped nor input-dilated."""
    return spec.sides[axis] == (0, 0) and spec.input_dilation[axis] == 1


def _pad(spec: ConvSpec, a: Array) -> Array:
    for axis in range(spec.ndim):
        if _bare(spec, axis):
            continue
        lead, source = (slice(None),) * (axis + 3), sources(spec, axis)
        kept = source >= 0
        grown = np.zeros((*a.shape[: axis + 3], len(source), *a.shape[axis + 4 :]), a.dtype)
        grown[(*lead, kept)] = a[(*lead, source[kept])]
        a = grown
    return a


def _crop(a: Array, spec: ConvSpec) -> Array:
    kept = zip(spec.sides, a.shape[3:], strict=True)
    return a[(..., *(slice(low, n - high) for (low, high), n in kept))]


def _unpad(spec: ConvSpec, a: Array) -> Array:
    """The adjoint of `_pad`: add each padded position to the one that it copies."""
    for axis, extent in enumerate(_unpadded(spec)):
        if _bare(spec, axis):
            continue
        folded = np.zeros((*a.shape[: axis + 3], extent, *a.shape[axis + 4 :]), a.dtype)
        lead, source = (slice(None),) * (axis + 3), sources(spec, axis)
        if spec.padding_mode == "zeros":  # no two positions are copies of the same one
            folded[(*lead, source[source >= 0])] = a[(*lead, source >= 0)]
        for at, place in enumerate(source) if spec.padding_mode != "zeros" else ():
            folded[(*lead, place)] += a[(*lead, at)]
        a = folded
    return a


def padded(spec: ConvSpec, a: Array) -> Array:
    """Pad a batched array (N, C, *extent) as the spec says."""
    return _pad(spec, a[None])[0]


def folded(spec: ConvSpec, a: Array) -> Array:
    """Apply the adjoint of `padded` to a batched array."""
    return _unpad(spec, a[None])[0]
