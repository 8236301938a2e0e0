"""Right convolutions in other orders of summation: no law may break for them."""

from __future__ import annotations

import numpy as np

from convlaws.mutants.pieces import widened
from convlaws.mutants.registry import healthy, right


def _channels(spec, a, keep):
    """The operands with the weight's columns outside of `keep`, and the channels that meet them, at zero."""
    w = np.zeros_like(a["w"])
    w[:, keep] = a["w"][:, keep]
    role = "gy" if spec.transposed else "x"
    image = a[role]
    grouped = image.reshape(*image.shape[: -spec.ndim - 1], spec.groups, w.shape[1], *image.shape[-spec.ndim :])
    columns = np.moveaxis(grouped, -spec.ndim - 1, 0)
    kept = np.zeros_like(columns)
    kept[keep] = columns[keep]
    return {**a, "w": w, role: np.moveaxis(kept, 0, -spec.ndim - 1).reshape(image.shape)}


def _without_bias(a):
    return {**a, "b": np.zeros_like(a["b"])} if "b" in a else a


def _split(spec, op, a, parts):
    """The sum over column ranges of the weight, in the accumulator, rounded once."""
    dtype = a["w"].dtype
    wide = widened(a)
    total = None
    for n, keep in enumerate(parts):
        part = right(spec, op, _channels(spec, wide if n == 0 else _without_bias(wide), keep))
        total = part if total is None else total + part
    with np.errstate(all="ignore"):
        return total.astype(dtype)


def _sums_columns(spec, op):
    return op == ("dgrad" if spec.transposed else "fprop")


@healthy()
def split_channels(spec, op, a):
    """Sums two halves of the input channels apart."""
    if not _sums_columns(spec, op):
        return right(spec, op, a)
    half = a["w"].shape[1] // 2
    return _split(spec, op, a, [slice(0, half), slice(half, None)])


@healthy()
def channel_by_channel_backwards(spec, op, a):
    """Sums the input channels one by one, the last first."""
    if not _sums_columns(spec, op):
        return right(spec, op, a)
    columns = range(a["w"].shape[1])
    return _split(spec, op, a, [slice(c, c + 1) for c in reversed(columns)])


@healthy()
def double_accumulation(spec, op, a):
    """Accumulates float32 and narrower in float64 and rounds once."""
    dtype = next(iter(a.values())).dtype
    if dtype.name in ("float64", "bfloat16"):
        return right(spec, op, a)
    with np.errstate(all="ignore"):
        return right(spec, op, {r: v.astype(np.float64) for r, v in a.items()}).astype(dtype)


@healthy()
def image_by_image(spec, op, a):
    """Computes one image after the other; the weight gradient adds them up backwards."""
    if not spec.batch or op == "bgrad":
        return right(spec, op, a)
    from dataclasses import replace

    one, dtype = replace(spec, batch=1), next(iter(a.values())).dtype
    parts = [
        right(one, op, {r: v[n : n + 1] if r in ("x", "gy") else v for r, v in widened(a).items()}) for n in range(spec.batch)
    ]
    with np.errstate(all="ignore"):
        whole = sum(reversed(parts[:-1]), parts[-1]) if op == "wgrad" else np.concatenate(parts)
        return whole.astype(dtype)


@healthy()
def reversed_axes(spec, op, a):
    """Computes the mirror image with the mirrored kernel, so that taps are added from the end."""
    if spec.transposed or spec.padding_mode != "zeros" or op != "fprop":
        return right(spec, op, a)
    from dataclasses import replace

    axes = tuple(range(-spec.ndim, 0))
    if any(spec.unused):
        return right(spec, op, a)
    mirrored = replace(spec, padding=tuple((high, low) for low, high in spec.sides))
    flipped = {**a, "x": np.flip(a["x"], axes), "w": np.flip(a["w"], axes)}
    return np.ascontiguousarray(np.flip(right(mirrored, op, flipped), axes))
