"""What mutants share: the answer to another question in the shape of this one, and arrays spoilt in one place."""

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
WIDER = Scope(**WIDE, macs=SMALL.macs)  # for mistakes of what only some engines have
PLAIN = Scope(macs=SMALL.macs, transposed=(False,))  # for functions that do no transposed convolution


def fitted(a: Array, shape: tuple[int, ...]) -> Array:
    """`a` cut off at its ends, or followed by zeros, so that it has `shape`."""
    whole = np.zeros(shape, a.dtype)
    common = tuple(slice(min(n, m)) for n, m in zip(shape, a.shape, strict=True))
    whole[common] = a[common]
    return whole


def as_if(spec: ConvSpec, op: str, a: Arrays, **fields) -> Array:
    """The answer to a spec with other fields, operands and result fitted; zeros where there is no such spec.

    A function that does this in all of fprop, dgrad and wgrad is wrong consistently: its gradients are
    those of what it computes.
    """
    shape = shape_of(spec, RESULT[op])
    try:
        other = ConvSpec(**{**fields_of(spec), **fields})
    except SpecError:
        return np.zeros(shape, next(iter(a.values())).dtype)
    return fitted(right(other, op, {role: fitted(v, shape_of(other, role)) for role, v in a.items()}), shape)


def fields_of(spec: ConvSpec) -> dict:
    """The fields of a spec, its padding in numbers."""
    return {**{name: getattr(spec, name) for name in ConvSpec.__dataclass_fields__}, "padding": spec.sides}


def ones(spec: ConvSpec) -> tuple[int, ...]:
    """1 on each spatial axis."""
    return (1,) * spec.ndim


def turned(values: tuple) -> tuple:
    """The last axis' value first: of two axes, the one for the other."""
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
    """The indices of what is past the last whole block; of channels, in each group."""
    size = count // groups
    return np.flatnonzero(np.arange(count) % size >= size - size % block)


def in_turn(count: int, groups: int) -> Array:
    """The order in which neighbours belong to different groups."""
    return np.arange(count).reshape(groups, -1).T.ravel()


def border(spec: ConvSpec) -> Array:
    """Which windows touch the padding, an entry a position of y."""
    touched = np.zeros(spec.output, bool)
    for axis, (low, _) in enumerate(spec.sides):
        start = np.arange(spec.output[axis]) * spec.stride[axis] - low
        outside = (start < 0) | (start + spec.reach[axis] > spec.spaced[axis])
        np.moveaxis(touched, axis, -1)[...] |= outside
    return touched
