"""What laws make of arrays and results: exact rearrangements, no arithmetic."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from convlaws.oracle.claim import Approx
from convlaws.problem.spec import ConvSpec, Sides

_NUMPY_MODE = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def spread(a: np.ndarray, steps: tuple[int, ...], extents: tuple[int, ...]) -> np.ndarray:
    """`a` with its elements `steps` apart along the last axes, zeros between and after."""
    wide = np.zeros((*a.shape[: a.ndim - len(steps)], *extents), a.dtype)
    wide[every(steps, a.shape[a.ndim - len(steps) :])] = a
    return wide


def every(steps: Iterable[int], counts: Iterable[int]) -> tuple:
    """The index of `counts` elements, `steps` apart, along the last axes."""
    return (..., *(slice(0, (n - 1) * s + 1, s) for s, n in zip(steps, counts, strict=True)))


def within(sides: Sides) -> tuple:
    """The index of what `sides` surround, along the last axes."""
    return (..., *(slice(low, -high or None) for low, high in sides))


def surrounded(a: np.ndarray, sides: Sides, mode: str = "zeros") -> np.ndarray:
    """`a` padded along its last axes; in float64, as NumPy does not pad every type."""
    width = ((0, 0),) * (a.ndim - len(sides)) + tuple(sides)
    return np.pad(a.astype(np.float64), width, mode=_NUMPY_MODE[mode]).astype(a.dtype)  # pyright: ignore


def joined(parts: Iterable[Approx], axis: int) -> Approx:
    """Results next to each other."""
    values, bounds = zip(*((part.value, part.bound) for part in parts), strict=True)
    return Approx(np.concatenate(values, axis), np.concatenate(bounds, axis))


def channel(spec: ConvSpec) -> int:
    """The axis of an image's channels."""
    return 0 if spec.batch is None else 1
