"""Laws of structure: stride, padding, dilation, groups and axes, each in terms of a convolution without it."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from convlaws.laws.arrays import channel, every, joined, spread, surrounded, within
from convlaws.laws.registry import Ask, law
from convlaws.oracle.claim import Approx, Claim
from convlaws.problem.problem import RESULT, Problem, roles, shape_of
from convlaws.problem.scope import FINITE, NOT_EMPTY, SEPARATE, SPATIAL, Scope
from convlaws.problem.spec import PADDING_WORDS, ConvSpec

PADDED = ("even", "uneven", "same")
FULL = tuple(fill for fill in FINITE if fill != "onehot")  # where a law empties a part of gy


def _equal(left: Approx, says: str, right: Approx, other: str) -> Claim:
    return Claim.equal(left.called(says), right.called(other))


# --- padding -------------------------------------------------------------------------
@law(Scope(ops=("fprop", "wgrad"), batch=NOT_EMPTY, fills=FINITE, transposed=(False,), padding=PADDED), specific=4)
def padding_is_put_there_first(p: Problem, ask: Ask) -> Claim:
    """Padding is the same as an input that has it already, in every padding mode."""
    x = surrounded(p.operands["x"], p.spec.sides, p.spec.padding_mode)
    bare = replace(p.spec, extent=x.shape[-p.spec.ndim :], padding=(), padding_mode="zeros")
    return _equal(ask(p.spec, p.op, p.operands), "padded", ask(bare, p.op, {**p.operands, "x": x}), "padded before")


_ZEROS = Scope(ops=("dgrad",), batch=NOT_EMPTY, fills=FINITE, transposed=(False,), padding=PADDED, padding_mode=("zeros",))


@law(_ZEROS, specific=4)
def padding_crops_the_input_gradient(p: Problem, ask: Ask) -> Claim:
    """With padding, the input gradient is that of the padded input without its border."""
    wide = tuple(n + sum(side) for n, side in zip(p.spec.extent, p.spec.sides, strict=True))
    right = ask(replace(p.spec, extent=wide, padding=()), p.op, p.operands).moved(lambda a: a[within(p.spec.sides)])
    return _equal(ask(p.spec, p.op, p.operands), "padded", right, "cropped after")


@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FINITE, transposed=(True,), padding=PADDED), specific=4)
def padding_crops_the_transposed(p: Problem, ask: Ask) -> Claim:
    """Padding takes the border off a transposed convolution's result; its gradients see zeros there."""
    operands = {r: surrounded(a, p.spec.sides) if r == "gy" else a for r, a in p.operands.items()}
    full = ask(replace(p.spec, padding=()), p.op, operands)
    right = full.moved(lambda a: a[within(p.spec.sides)]) if p.op == "fprop" else full
    return _equal(ask(p.spec, p.op, p.operands), "padded", right, "without padding")


@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FINITE, transposed=(False,), padding=PADDING_WORDS), specific=5)
def padding_words_are_numbers(p: Problem, ask: Ask) -> Claim:
    """'valid' is no padding, 'same' half of the kernel's reach on each side, the others what SAME needs at the stride."""
    right = ask(replace(p.spec, padding=p.spec.sides), p.op, p.operands)
    return _equal(ask(p.spec, p.op, p.operands), f"padding={p.spec.padding!r}", right, f"padding={p.spec.sides}")


@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FULL, transposed=(True,), output_padding=(True,)), specific=5)
def output_padding_only_appends(p: Problem, ask: Ask) -> Claim | list[Claim]:
    """Output padding appends results at the high end and leaves the others as they are."""
    kept = tuple(e if n <= e else 0 for n, e in zip(p.spec.output, p.spec.output_padding, strict=True))
    if kept == p.spec.output_padding:  # nothing would be left without it
        return []
    less = replace(p.spec, output_padding=kept)
    inner = (..., *map(slice, less.output))
    short = {r: np.ascontiguousarray(a[inner]) if r == "gy" else a for r, a in p.operands.items()}
    long = {r: spread(a, (1,) * p.spec.ndim, p.spec.output) if r == "gy" else a for r, a in short.items()}
    left = ask(p.spec, p.op, long).moved(lambda a: a[inner] if p.op == "fprop" else a)
    return _equal(left, "with output padding", ask(less, p.op, short), "without")


# --- stride and dilation ----------------------------------------------------------------
def _unstrided(p: Problem, ask: Ask, dense: ConvSpec) -> Claim:
    """What has the strided positions is spread where it is read; where it is the result, elements are selected."""
    role, selects = ("x", "dgrad") if p.spec.transposed else ("gy", "fprop")
    extents = dense.extent if p.spec.transposed else dense.output
    operands = {r: spread(a, p.spec.stride, extents) if r == role else a for r, a in p.operands.items()}
    full, left = ask(dense, p.op, operands), ask(p.spec, p.op, p.operands)
    counts = left.value.shape[-p.spec.ndim :]
    right = full.moved(lambda a: a[every(p.spec.stride, counts)]) if p.op == selects else full
    return _equal(left, "strided", right, "stride 1")


@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FINITE, transposed=(False,), strided=(True,)), specific=4)
def stride_takes_every_sth_result(p: Problem, ask: Ask) -> Claim:
    """A stride of s takes every s-th result of stride 1; its gradients see zeros for the others."""
    return _unstrided(p, ask, replace(p.spec, stride=(1,) * p.spec.ndim))


@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FINITE, transposed=(True,), strided=(True,)), specific=4)
def stride_puts_zeros_between_inputs(p: Problem, ask: Ask) -> Claim:
    """A transposed convolution of stride s is one of stride 1 on an input with s - 1 zeros between."""
    # output padding becomes zeros after the input: with stride 1 it would be out of its range
    axes = zip(p.spec.extent, p.spec.stride, p.spec.output_padding, strict=True)
    extent = tuple((n - 1) * s + 1 + extra for n, s, extra in axes)
    dense = replace(p.spec, stride=(1,) * p.spec.ndim, extent=extent, output_padding=())
    return _unstrided(p, ask, dense)


@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FINITE, dilated=(True,)), specific=4)
def dilation_is_zeros_between_taps(p: Problem, ask: Ask) -> Claim:
    """Dilating by d is a larger kernel with d - 1 zeros between the taps."""
    # output padding becomes zero taps after the last, as without dilation it may be out of its range
    kernel = tuple(n + extra for n, extra in zip(p.spec.reach, p.spec.output_padding, strict=True))
    dense = replace(p.spec, kernel=kernel, dilation=(1,) * p.spec.ndim, output_padding=())
    operands = {r: spread(a, p.spec.dilation, kernel) if r == "w" else a for r, a in p.operands.items()}
    full, taps = ask(dense, p.op, operands), every(p.spec.dilation, p.spec.kernel)
    right = full.moved(lambda a: a[taps]) if p.op == "wgrad" else full
    return _equal(ask(p.spec, p.op, p.operands), "dilated", right, "spread kernel")


# --- one tap ------------------------------------------------------------------------------
@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FINITE, kernel=(1,), dilated=(True,), output_padding=(False,)), specific=5)
def one_tap_ignores_dilation(p: Problem, ask: Ask) -> Claim:
    """A kernel of one tap gives the same at any dilation."""
    right = ask(replace(p.spec, dilation=(1,) * p.spec.ndim), p.op, p.operands)
    return _equal(ask(p.spec, p.op, p.operands), "dilated", right, "dilation 1")


# operands and product, over w (groups, rows, columns) and positions; a transposed input has the rows
_PRODUCTS = {
    ("fprop", False): ("w", "x", "grc,ngcp->ngrp"),
    ("fprop", True): ("w", "x", "grc,ngrp->ngcp"),
    ("dgrad", False): ("w", "gy", "grc,ngrp->ngcp"),
    ("dgrad", True): ("w", "gy", "grc,ngcp->ngrp"),
    ("wgrad", False): ("x", "gy", "ngcp,ngrp->grc"),
    ("wgrad", True): ("x", "gy", "ngrp,ngcp->grc"),
}
_NO_BORDER = Scope(
    ops=SPATIAL, batch=NOT_EMPTY, fills=("integers",), kernel=(1,), strided=(False,), output_padding=(False,),
    padding=("none", "same", "valid"),
)  # fmt: skip


@law(_NO_BORDER, specific=5)
def one_tap_is_a_matrix_product(p: Problem, ask: Ask) -> Claim:
    """A kernel of one tap multiplies the channels of each position by a matrix."""
    spec, left = p.spec, ask(p.spec, p.op, p.operands)
    first, second, product = _PRODUCTS[p.op, spec.transposed]
    shapes, image = {"w": (spec.groups, -1, spec.w_shape[1])}, (spec.images, spec.groups, -1, prod(spec.extent))
    # bit-budget integers: no sum of these products is rounded in float64, in whatever order
    wide = {r: a.astype(np.float64).reshape(shapes.get(r, image)) for r, a in p.operands.items() if r != "b"}
    exact = np.einsum(product, wide[first], wide[second]).reshape(left.value.shape)
    if "b" in p.operands:
        exact += p.operands["b"].astype(np.float64).reshape(-1, *(1,) * spec.ndim)
    return _equal(left, "one tap", Approx(exact, np.zeros(exact.shape)), "matrix product")


# --- groups and channels ---------------------------------------------------------------------
@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FINITE, grouping=("some", "depthwise")), specific=4)
def groups_are_a_block_diagonal_kernel(p: Problem, ask: Ask) -> Claim:
    """A convolution in groups is one without, whose kernel is zero from one group to another."""
    rows, columns = p.spec.w_shape[:2]
    group = np.arange(rows)[:, None] // (rows // p.spec.groups)
    block, operands = (np.arange(rows)[:, None], group * columns + np.arange(columns)), dict(p.operands)
    if "w" in operands:
        operands["w"] = np.zeros((rows, columns * p.spec.groups, *p.spec.kernel), p.format.dtype)
        operands["w"][block] = p.operands["w"]
    full = ask(replace(p.spec, groups=1), p.op, operands)
    right = full.moved(lambda a: a[block]) if p.op == "wgrad" else full
    return _equal(ask(p.spec, p.op, p.operands), "grouped", right, "block diagonal")


@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FINITE, grouping=("some", "depthwise")), specific=4)
def each_group_is_on_its_own(p: Problem, ask: Ask) -> list[Claim]:
    """What a group gives is the convolution of its channels alone."""
    spec, groups = p.spec, p.spec.groups
    alone = replace(spec, in_channels=spec.in_channels // groups, out_channels=spec.out_channels // groups, groups=1)
    whole = ask(spec, p.op, p.operands)

    def part(role: str, a: np.ndarray, g: int) -> np.ndarray:
        return np.ascontiguousarray(np.split(a, groups, 0 if role in "wb" else channel(spec))[g])

    def claim(g: int) -> Claim:
        one = ask(alone, p.op, {r: part(r, a, g) for r, a in p.operands.items()})
        return _equal(whole.moved(lambda a: part(RESULT[p.op], a, g)), f"group {g}", one, "that group alone")

    return [claim(g) for g in sorted({groups - 1, int(p.rng("group").integers(groups))})]


def _extended(p: Problem, ask: Ask, side: str, axes: dict[str, int]) -> Claim:
    """`p` with more channels on one side is `p` and another problem: joined along `axes`, else summed."""
    more = int(p.rng(side).integers(1, 4))
    fewer: dict[str, Any] = {side: more, "bias": p.spec.bias and "b" in axes}
    all_of_them: dict[str, Any] = {side: getattr(p.spec, side) + more}
    other, whole = replace(p.spec, **fewer), replace(p.spec, **all_of_them)
    drawn = {r: p.draw(r, shape_of(other, r), "more") if r in axes else p.operands[r] for r in roles(other, p.op)}
    both = {r: np.concatenate([a, drawn[r]], axes[r]) if r in axes else a for r, a in p.operands.items()}
    parts = ask(p.spec, p.op, p.operands), ask(other, p.op, drawn)
    result = RESULT[p.op]
    right = joined(parts, axes[result]) if result in axes else parts[0] + parts[1]
    return _equal(ask(whole, p.op, both), "all channels", right, "the two halves")


@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FINITE, layouts=SEPARATE, grouping=("one",)), specific=3)
def input_channels_add_up(p: Problem, ask: Ask) -> Claim:
    """A convolution of two sets of input channels is the sum of those of each."""
    return _extended(p, ask, "in_channels", {"x": channel(p.spec), "w": int(not p.spec.transposed)})


@law(Scope(ops=SPATIAL, batch=NOT_EMPTY, fills=FINITE, layouts=SEPARATE, grouping=("one",)), specific=3)
def output_channels_are_side_by_side(p: Problem, ask: Ask) -> Claim:
    """A kernel with two sets of output channels gives the results of each; input gradients add up."""
    at = channel(p.spec)
    return _extended(p, ask, "out_channels", {"gy": at, "y": at, "b": 0, "w": int(p.spec.transposed)})


# --- batch and axes --------------------------------------------------------------------------
@law(Scope(ops=SPATIAL, batch=("many",), fills=FINITE), specific=3)
def images_do_not_see_each_other(p: Problem, ask: Ask) -> Claim:
    """A batch in two parts gives the same images; gradients of kernel and bias are the parts' sum."""
    cut = int(p.rng("cut").integers(1, p.spec.images))

    def images(n: int, at: slice) -> Approx:
        part = {r: a[at] if r in ("x", "gy") else a for r, a in p.operands.items()}
        return ask(replace(p.spec, batch=n), p.op, part)

    parts = images(cut, slice(cut)), images(p.spec.images - cut, slice(cut, None))
    right = joined(parts, 0) if p.op in ("fprop", "dgrad") else parts[0] + parts[1]
    return _equal(ask(p.spec, p.op, p.operands), "whole batch", right, "in two parts")


@law(Scope(ops=SPATIAL, batch=("unbatched", "one"), layouts=SEPARATE, fills=FINITE), specific=3)
def unbatched_is_a_batch_of_one(p: Problem, ask: Ask) -> Claim:
    """An input without a batch axis gives what a batch of one gives."""
    without, one = (replace(p.spec, batch=batch) for batch in (None, 1))

    def asked(spec: ConvSpec) -> Approx:
        return ask(spec, p.op, {r: a.reshape(shape_of(spec, r)) for r, a in p.operands.items()})

    right = asked(one).moved(lambda a: a.reshape(shape_of(without, RESULT[p.op])))
    return _equal(asked(without), "unbatched", right, "batch of one")


@law(Scope(ops=SPATIAL, ndim=(1, 2), batch=NOT_EMPTY, fills=FINITE), specific=3)
def an_axis_of_one_changes_nothing(p: Problem, ask: Ask) -> Claim:
    """A convolution is one of a dimension more, with an axis of one element."""
    spec, at = p.spec, p.spec.ndim * int(p.rng("axis").integers(2))
    sizes = ("extent", "kernel", "stride", "dilation", "input_dilation")
    ones: dict[str, Any] = dict.fromkeys(sizes, 1) | {"output_padding": 0, "padding": (0, 0)}
    fields = {name: getattr(spec, name) for name in ones}
    grown: dict[str, Any] = {n: v if isinstance(v, str) else (*v[:at], ones[n], *v[at:]) for n, v in fields.items()}
    axis = at - spec.ndim - 1
    operands = {r: a if r == "b" else np.expand_dims(a, axis) for r, a in p.operands.items()}
    right = ask(replace(spec, **grown), p.op, operands).moved(lambda a: np.squeeze(a, axis))
    return _equal(ask(spec, p.op, p.operands), f"{spec.ndim}-D", right, f"{spec.ndim + 1}-D")
