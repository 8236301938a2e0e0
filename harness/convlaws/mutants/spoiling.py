"""Helpers for mutants: the answer to another spec in the shape of this one, and arrays altered in one place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convlaws.errors import SpecError
from convlaws.mutants.registry import SMALL, right
from convlaws.problem.problem import RESULT, shape_of
from convlaws.problem.scope import WIDE, Scope
from convlaws.problem.spec import ConvSpec

Array = np.ndarray
Arrays = Mapping[str, Array]
WIDER = Scope(**WIDE, macs=SMALL.macs)  # for mistakes that only some engines can make
PLAIN = Scope(macs=SMALL.macs, transposed=(False,))  # for functions that do no transposed convolution


def fitted(a: Array, shape: tuple[int, ...]) -> Array:
    """`a` cut off at its ends, or padded with zeros at its ends, to `shape`."""
    whole = np.zeros(shape, a.dtype)
    common = tuple(slice(min(n, m)) for n, m in zip(shape, a.shape, strict=True))
    whole[common] = a[common]
    return whole


def as_if(spec: ConvSpec, op: str, a: Arrays, **fields) -> Array:
    """The answer to a spec with other fields, operands and result fitted; zeros if that spec is invalid.

    A function that does this in fprop, dgrad and wgrad alike is consistently wrong: its gradients are
    those of the function that it computes.
    """
    shape = shape_of(spec, RESULT[op])
    try:
        other = ConvSpec(**{**fields_of(spec), **fields})
    except SpecError:
        return np.zeros(shape, next(iter(a.values())).dtype)
    return fitted(right(other, op, {role: fitted(v, shape_of(other, role)) for role, v in a.items()}), shape)


def fields_of(spec: ConvSpec) -> dict:
    """The fields of a spec, with the padding as numbers."""
    return {**{name: getattr(spec, name) for name in ConvSpec.__dataclass_fields__}, "padding": spec.sides}


def ones(spec: ConvSpec) -> tuple[int, ...]:
    """1 on each spatial axis."""
    return (1,) * spec.ndim


def turned(values: tuple) -> tuple:
    """The values rotated so that the last axis' one is first: of two axes, swapped."""
    return (values[-1], *values[:-1])


def channels(spec: ConvSpec, image: Array) -> Array:
    """A view of x, y or a gradient of them, channels first."""
    return np.moveaxis(image, -spec.ndim - 1, 0)


def without(a: Array, axis: int, at) -> Array:
    """A copy of `a` with zeros at `at`, an index or slice of `axis`."""
    kept = a.copy()
    np.moveaxis(kept, axis, 0)[at] = 0
    return kept


def reordered(spec: ConvSpec, image: Array, order: Array) -> Array:
    """`image` with its channels in another order."""
    return np.take(image, order, axis=-spec.ndim - 1)


def tail(count: int, block: int, groups: int = 1) -> Array:
    """The indices after the last whole block; of channels, in each group."""
    size = count // groups
    return np.flatnonzero(np.arange(count) % size >= size - size % block)


def in_turn(count: int, groups: int) -> Array:
    """An order of the indices in which neighbours belong to different groups."""
    return np.arange(count).reshape(groups, -1).T.ravel()


def border(spec: ConvSpec) -> Array:
    """Boolean array in the shape of the output: True where the window overlaps the padding."""
    touched = np.zeros(spec.output, bool)
    for axis, (low, _) in enumerate(spec.sides):
        start = np.arange(spec.output[axis]) * spec.stride[axis] - low
        outside = (start < 0) | (start + spec.reach[axis] > spec.spaced[axis])
        np.moveaxis(touched, axis, -1)[...] |= outside
    return touched
