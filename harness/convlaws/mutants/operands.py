"""What the operands of one call are like: their magnitudes, how they lie in memory, and the process' threads."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from math import inf, prod

import numpy as np

from convlaws.problem.formats import FORMATS

Arrays = Mapping[str, np.ndarray]


def _sizes(a: Arrays) -> list[np.ndarray]:
    """The finite non-zero magnitudes of each factor in float64; a bias is none."""
    with np.errstate(all="ignore"):
        magnitudes = [np.abs(v.astype(np.float64)) for role, v in a.items() if role != "b"]
    return [v[(v > 0) & np.isfinite(v)] for v in magnitudes]


def least(a: Arrays) -> float:
    """The smallest product of one element each (infinite if there is none)."""
    return prod(float(v.min()) if v.size else inf for v in _sizes(a))


def overflows(a: Arrays) -> bool:
    """Whether the product of all sums of magnitudes, which no result exceeds, is more than the largest number."""
    with np.errstate(all="ignore"):
        most = np.prod([v.sum() if v.size else 0.0 for v in _sizes(a)])
    return bool(most > FORMATS[next(iter(a.values())).dtype.name].maximum)


def channels_last(v: np.ndarray) -> bool:
    """Whether the channels of an image or a kernel are next to each other in memory, and nowhere else."""
    return v.ndim > 2 and not v.flags.c_contiguous and np.moveaxis(v, 1, -1).flags.c_contiguous


def repeats(v: np.ndarray) -> bool:
    """Whether elements share their memory."""
    return any(step == 0 and size > 1 for step, size in zip(v.strides, v.shape, strict=True))


def spread_out(v: np.ndarray) -> bool:
    """Whether `v` reaches over more memory than it has elements."""
    reach = 1 + sum(abs(step) // v.itemsize * (n - 1) for step, n in zip(v.strides, v.shape, strict=True))
    return v.size > 0 and not repeats(v) and reach > v.size


def in_memory(v: np.ndarray) -> np.ndarray:
    """`v` as someone reads it who takes it for contiguous: from its first element on, whatever the strides."""
    steps = np.cumprod((v.itemsize, *v.shape[:0:-1]))[::-1]
    return np.lib.stride_tricks.as_strided(v, v.shape, tuple(map(int, steps)))


def threads() -> int:
    """The number of threads that this process may use; torch knows, if it is loaded."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else 1
