"""Laws of symmetry: shifts, flips, and every order that a convolution does not know of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from convlaws.laws.registry import Ask, law
from convlaws.oracle.claim import Claim
from convlaws.problem.problem import RESULT, Problem
from convlaws.problem.scope import FINITE, SEPARATE, SPATIAL, WIDE, Scope
from convlaws.problem.spec import ConvSpec

IMAGES = ("x", "gy")
Move = Callable[[str, np.ndarray], np.ndarray]


def _equivariant(p: Problem, ask: Ask, spec: ConvSpec, move: Move, says: str) -> Claim:
    """Moving the operands, each as its role says, moves the result as a gradient or y of that role."""
    moved = {r: np.ascontiguousarray(move(r, a)) for r, a in p.operands.items()}
    right = ask(p.spec, p.op, p.operands).moved(partial(move, _role(p)))
    return Claim.equal(ask(spec, p.op, moved).called(f"op of {says}"), right.called(f"{says} of op"))


def _role(p: Problem) -> str:
    """The operand that the result is shaped like."""
    return RESULT[p.op].replace("y", "gy")


def _shuffled(rng: np.random.Generator, count: int) -> np.ndarray:
    """A random order that is not the order as it was, for a count over 1."""
    order = rng.permutation(count)
    return order[::-1] if (order == np.arange(count)).all() else order


# --- places -----------------------------------------------------------------------
def _grown(p: Problem, axis: int) -> dict[str, int]:
    """By how many elements x and gy grow where one result is put before: a stride on the wide side."""
    stride = p.spec.stride[axis]
    return {"x": 1, "gy": stride} if p.spec.transposed else {"x": stride, "gy": 1}


@law(Scope(ops=SPATIAL, padding_mode=("zeros",), fills=FINITE), specific=2)
def zeros_before_an_image_shift_the_result(p: Problem, ask: Ask) -> Claim:
    """A stride of zeros put before an image puts one result before the others, which stay as they were."""
    axis = int(p.rng("axis").integers(p.spec.ndim))
    grown, at = _grown(p, axis), axis - p.spec.ndim
    extent = tuple(n + (grown["x"] if i == axis else 0) for i, n in enumerate(p.spec.extent))
    before = {r: np.zeros((*a.shape[:at], grown[r], *a.shape[at:][1:]), a.dtype) for r, a in p.operands.items() if r in IMAGES}
    shifted = {r: np.concatenate([before[r], a], axis=at) if r in before else a for r, a in p.operands.items()}
    drop = grown.get(_role(p), 0)
    got = ask(replace(p.spec, extent=extent), p.op, shifted)
    got = got.moved(lambda a: a.take(range(drop, a.shape[at]), axis=at))
    return Claim.equal(got.called("the shifted result"), ask(p.spec, p.op, p.operands).called("the result"))


def _without_last(a: np.ndarray, at: int) -> np.ndarray:
    """`a` with zeros at the end of an axis: rolled by one, nothing comes back at its beginning."""
    return np.concatenate([a.take(range(a.shape[at] - 1), at), np.zeros_like(a.take([0], at))], axis=at)


@law(Scope(ops=SPATIAL, transposed=(False,), padding_mode=("circular",), fills=FINITE), specific=2)
def rolling_a_circular_image_rolls_the_result(p: Problem, ask: Ask) -> Claim | list[Claim]:
    """With circular padding, rolling the image by a stride moves every result on by one."""
    axes = [axis - p.spec.ndim for axis, n in enumerate(p.spec.output) if n > 1]
    if not axes:
        return []
    at = int(p.rng("axis").choice(axes))
    step = {"x": p.spec.stride[at], "gy": 1, "w": 0, "b": 0}
    base = {r: _without_last(a, at) if r == "gy" else a for r, a in p.operands.items()}
    rolled = {r: np.roll(a, step[r], axis=at if step[r] else 0) for r, a in base.items()}
    got, was = ask(p.spec, p.op, rolled), ask(p.spec, p.op, base)
    was = was.moved(lambda a: np.roll(a, step[_role(p)], axis=at))
    first = int(p.op == "fprop")  # its first result had no predecessor
    got, was = (side.moved(lambda a: a.take(range(first, a.shape[at]), axis=at)) for side in (got, was))
    return Claim.equal(got.called("op of the rolled image"), was.called("the result, moved on"))


def _flippable(spec: ConvSpec) -> list[int]:
    """Axes whose last window ends with the padded input, and whose padding can be named the other way round."""
    axes = []
    for axis, (extent, reach, (low, high)) in enumerate(zip(spec.extent, spec.reach, spec.sides, strict=True)):
        rest = (extent + low + high - reach) % spec.stride[axis]
        rest = spec.output_padding[axis] if spec.transposed else rest
        if not rest and (low == high or not isinstance(spec.padding, str)):
            axes.append(axis)
    return axes


@law(Scope(ops=SPATIAL, fills=FINITE), specific=2)
def flipping_everything_flips_the_result(p: Problem, ask: Ask) -> Claim | list[Claim]:
    """Images and kernel read backwards, with the padding's sides exchanged, give the result backwards."""
    axes = p.rng("axes").permutation(_flippable(p.spec))[: int(p.rng("count").integers(1, 4))]
    if not axes.size:
        return []
    sides = tuple(side[::-1] if axis in axes else side for axis, side in enumerate(p.spec.sides))
    spec = p.spec if isinstance(p.spec.padding, str) else replace(p.spec, padding=sides)
    at = tuple(int(axis) - p.spec.ndim for axis in axes)
    return _equivariant(p, ask, spec, lambda r, a: a if r == "b" else np.flip(a, at), "the flipped")


@law(Scope(ops=SPATIAL, ndim=(2, 3), fills=FINITE), specific=3)
def axes_in_another_order(p: Problem, ask: Ask) -> Claim:
    """Spatial axes in another order, in every field and array, give the result in that order."""
    order = [int(i) for i in _shuffled(p.rng("axes"), p.spec.ndim)]
    names = ("extent", "kernel", "stride", "dilation", "input_dilation", "output_padding")
    fields: dict[str, Any] = {name: tuple(getattr(p.spec, name)[i] for i in order) for name in names}
    padding = p.spec.padding if isinstance(p.spec.padding, str) else tuple(p.spec.padding[i] for i in order)

    def move(role: str, a: np.ndarray) -> np.ndarray:
        lead = a.ndim - p.spec.ndim
        return a if role == "b" else a.transpose(*range(lead), *(lead + i for i in order))

    return _equivariant(p, ask, replace(p.spec, padding=padding, **fields), move, "reordered axes")


# --- images and channels ----------------------------------------------------------
@law(Scope(**WIDE, ops=SPATIAL, batch=("many",), layouts=SEPARATE, fills=FINITE), specific=2)
def images_in_another_order(p: Problem, ask: Ask) -> Claim:
    """Each image has its own result: another order of the batch is that order of the results."""
    order = _shuffled(p.rng("order"), p.spec.images)
    return _equivariant(p, ask, p.spec, lambda r, a: a[order] if r in IMAGES else a, "reordered images")


def _reordering(spec: ConvSpec, ins: np.ndarray, outs: np.ndarray) -> Move:
    """How each array moves when input and output channels do; both orders keep groups together."""
    rows, columns = (ins, outs) if spec.transposed else (outs, ins)

    def move(role: str, a: np.ndarray) -> np.ndarray:
        if role == "w":
            own = np.arange(len(rows)) * spec.groups // len(rows)
            return a[rows[:, None], columns.reshape(spec.groups, -1)[own] % a.shape[1]]
        return a.take(ins if role == "x" else outs, axis=0 if role == "b" else -1 - spec.ndim)

    return move


def _within_groups(p: Problem, count: int) -> np.ndarray:
    size, rng = count // p.spec.groups, p.rng("channels")
    return np.concatenate([group * size + _shuffled(rng, size) for group in range(p.spec.groups)])


@law(Scope(**WIDE, ops=SPATIAL, fills=FINITE), specific=3)
def output_channels_in_another_order(p: Problem, ask: Ask) -> Claim | list[Claim]:
    """Rows of the kernel (and the bias) in another order within a group give the result's channels in that order."""
    if p.spec.out_channels == p.spec.groups:
        return []
    move = _reordering(p.spec, np.arange(p.spec.in_channels), _within_groups(p, p.spec.out_channels))
    return _equivariant(p, ask, p.spec, move, "reordered output channels")


@law(Scope(**WIDE, ops=SPATIAL, grouping=("one", "some"), fills=FINITE), specific=3)
def input_channels_in_another_order(p: Problem, ask: Ask) -> Claim | list[Claim]:
    """Channels of x and columns of the kernel in one other order within a group sum to the same result."""
    if p.spec.in_channels == p.spec.groups:
        return []
    move = _reordering(p.spec, _within_groups(p, p.spec.in_channels), np.arange(p.spec.out_channels))
    return _equivariant(p, ask, p.spec, move, "reordered input channels")


@law(Scope(**WIDE, ops=SPATIAL, grouping=("some", "depthwise"), fills=FINITE), specific=3)
def groups_in_another_order(p: Problem, ask: Ask) -> Claim:
    """Groups do not know of each other: in another order they give their results in that order."""
    groups = _shuffled(p.rng("groups"), p.spec.groups)
    ins, outs = (np.arange(n).reshape(p.spec.groups, -1)[groups].ravel() for n in (p.spec.in_channels, p.spec.out_channels))
    return _equivariant(p, ask, p.spec, _reordering(p.spec, ins, outs), "reordered groups")
