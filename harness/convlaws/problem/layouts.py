"""Memory layouts of arrays: shapes, strides and offsets in elements."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

IMAGES = ("x", "gy", "y")
GUARD = 32  # elements of NaN before and after each array: two AVX-512 registers of float32


@dataclass(frozen=True)
class Placement:
    """The location of an array's elements: element i of axis a is `offset + sum i_a strides_a`."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    elements: int

    def view(self, buffer: np.ndarray) -> np.ndarray:
        """Return the array as a view of a flat `buffer` of `elements` elements."""
        size = buffer.itemsize
        strides = tuple(s * size for s in self.strides)
        return np.lib.stride_tricks.as_strided(buffer[self.offset :], self.shape, strides)


def _dense(order: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of an array whose axes vary slowest to fastest in `order`."""
    strides, step = [0] * len(shape), 1
    for axis in reversed(order):
        strides[axis] = step
        step *= max(shape[axis], 1)
    return tuple(strides)


def _contiguous(role, shape, batched):
    return shape, _dense(tuple(range(len(shape))), shape)


def _channels_last(role, shape, batched):
    lead = (0,) if batched or role == "w" else ()
    if role == "b" or len(shape) <= len(lead):
        return _contiguous(role, shape, batched)
    channel = len(lead)
    return shape, _dense((*lead, *range(channel + 1, len(shape)), channel), shape)


def _sliced(role, shape, batched):
    """Return every second element of the last axis of an array that is larger by one on every axis."""
    larger = (*(n + 1 for n in shape[:-1]), 2 * shape[-1] + 1)
    *outer, _ = _dense(tuple(range(len(shape))), larger)
    return larger, (*outer, 2)


def _expanded(role, shape, batched):
    if role not in IMAGES or not shape[0]:
        return _contiguous(role, shape, batched)
    inner, strides = _contiguous(role, (1, *shape[1:]), batched)
    return inner, (0, *strides[1:])


LAYOUT = {
    "contiguous": _contiguous,
    "channels_last": _channels_last,
    "sliced": _sliced,
    "expanded": _expanded,
}


def place(role: str, shape: tuple[int, ...], layout: str, *, batched: bool, shift: int = 0) -> Placement:
    """Return the placement of `role` under `layout`, with a guard on both sides.

    `shift` moves it by elements, for a misaligned buffer.
    """
    memory, strides = LAYOUT[layout](role, shape, batched)
    offset = GUARD + shift + (sum(strides) // 2 if layout == "sliced" else 0)
    return Placement(shape, strides, offset, prod(memory) + 2 * GUARD + shift + (sum(strides) if layout == "sliced" else 0))
