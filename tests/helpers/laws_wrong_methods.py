"""Wrong methods, one per law: each law of structure, duality, composition and repetition must find its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from laws_in_process import right

from convlaws.problem.spec import ConvSpec


def when(ops: str, feature: Callable[[ConvSpec], object], change: Callable[..., np.ndarray]):
    """Return a method that is right except for problems with a feature, whose operands or result it changes."""

    def method(spec, op, a, threads=1):
        if op not in ops.split() or not feature(spec):
            return right(spec, op, a)
        return np.ascontiguousarray(change(spec, op, a))

    return method


def flips_result(spec, op, a):
    return np.flip(right(spec, op, a), -1)


def reverses_result(spec, op, a):
    result = right(spec, op, a)
    return result.ravel()[::-1].reshape(result.shape)


def doubles(spec, op, a):
    with np.errstate(over="ignore"):
        return right(spec, op, a) * 2


def drops_the_last_image(spec, op, a):
    return right(spec, op, {r: _without_last(v) if r in ("x", "gy") else v for r, v in a.items()})


def _without_last(a):
    a = a.copy()
    a[-1] = 0
    return a


def rolls(role: str, axis: int):
    return lambda spec, op, a: right(spec, op, {r: np.roll(v, 1, axis) if r == role else v for r, v in a.items()})


def pads_with_zeros(spec, op, a):
    return right(replace(spec, padding_mode="zeros"), op, a)


def remembers(state):
    """Return a method that adds the number of its calls to the result."""

    def method(spec, op, a, threads=1):
        state.calls += 1
        return right(spec, op, a) + np.asarray(state.calls, a[next(iter(a))].dtype)

    return method


def remembers_larger(state):
    """Return a method that is wrong after a larger problem, as if its workspace kept old values."""

    def method(spec, op, a, threads=1):
        grown, state.size = state.size > sum(spec.extent), max(state.size, sum(spec.extent))
        return doubles(spec, op, a) if grown else right(spec, op, a)

    return method


def scribbles(spec, op, a, threads=1):
    result, first = right(spec, op, a), next(iter(a.values()))
    first[(slice(0, 1),) * first.ndim] += 1
    return result


def returns_an_operand(spec, op, a, threads=1):
    result = right(spec, op, a)
    whole = next(iter(a.values())).base
    return whole[: result.size].reshape(result.shape) if whole.size >= result.size else result


def reuses_its_output(state):
    def method(spec, op, a, threads=1):
        result = right(spec, op, a)
        state.output = result if state.output is None or state.output.shape != result.shape else state.output
        state.output[...] = result
        return state.output

    return method


def reads_past_the_end(spec, op, a, threads=1):
    first = next(iter(a.values()))
    end = first.base[-1]
    return right(spec, op, a) + end * 0


def believes_contiguous(spec, op, a, threads=1):
    """Read the elements as contiguous, whatever the strides are."""
    return right(spec, op, {r: _one_after_the_other(v) for r, v in a.items()})


def _one_after_the_other(v):
    start = (v.__array_interface__["data"][0] - v.base.__array_interface__["data"][0]) // v.itemsize
    return np.resize(np.nan_to_num(v.base.astype(np.float32)[start:]), v.shape).astype(v.dtype)


def begins_at_a_vector(spec, op, a, threads=1):
    first = next(iter(a.values()))
    moved = (first.__array_interface__["data"][0] - first.base.__array_interface__["data"][0]) // first.itemsize % 2
    return right(spec, op, a) * np.asarray(1 + moved, first.dtype)


def loses_a_thread(spec, op, a, threads=1):
    result = right(spec, op, a)
    if threads == 4:
        result[-1] = 0
    return result


def clips(spec, op, a):
    return np.clip(right(spec, op, a), -5, 5)


def wrong_second(spec, op, a, threads=1):
    return right(spec, op, a) if not op.startswith("second") else -right(spec, op, a)


ALL = "fprop dgrad wgrad bgrad"
# law -> a wrong method that breaks it, created anew for each problem
MUTANTS: dict[str, Callable[[], Callable[..., np.ndarray]]] = {
    "padding-is-put-there-first": lambda: when(ALL, lambda s: s.padding_mode != "zeros", pads_with_zeros),
    "padding-crops-the-input-gradient": lambda: when("dgrad", lambda s: any(map(any, s.sides)), flips_result),
    "padding-crops-the-transposed": lambda: when(ALL, lambda s: any(map(any, s.sides)), flips_result),
    "padding-words-are-numbers": lambda: when(ALL, lambda s: s.padding == "same", reverses_result),
    "output-padding-only-appends": lambda: when(ALL, lambda s: any(s.output_padding), flips_result),
    "stride-takes-every-sth-result": lambda: when(ALL, lambda s: max(s.stride) > 1, flips_result),
    "stride-puts-zeros-between-inputs": lambda: when(ALL, lambda s: max(s.stride) > 1, flips_result),
    "dilation-is-zeros-between-taps": lambda: when(ALL, lambda s: max(s.dilation) > 1, reverses_result),
    "one-tap-ignores-dilation": lambda: when(ALL, lambda s: max(s.dilation) > 1, reverses_result),
    "one-tap-is-a-matrix-product": lambda: when(ALL, lambda s: max(s.kernel) == 1, reverses_result),
    "groups-are-a-block-diagonal-kernel": lambda: when(ALL, lambda s: s.groups > 1, reverses_result),
    "each-group-is-on-its-own": lambda: when(ALL, lambda s: s.groups > 1, doubles),
    "input-channels-add-up": lambda: when(ALL, lambda s: s.in_channels > 3, doubles),
    "output-channels-are-side-by-side": lambda: when(ALL, lambda s: s.out_channels > 3, doubles),
    "images-do-not-see-each-other": lambda: when(ALL, lambda s: s.images > 2, drops_the_last_image),
    "unbatched-is-a-batch-of-one": lambda: when(ALL, lambda s: s.batch is None, flips_result),
    "an-axis-of-one-changes-nothing": lambda: when(ALL, lambda s: s.ndim == 1, flips_result),
    "input-dilation-is-zeros-between-inputs": lambda: when(ALL, lambda s: max(s.input_dilation) > 1, flips_result),
    "negative-padding-crops-the-input": lambda: when(ALL, lambda s: min(map(min, s.sides)) < 0, flips_result),
    "input-gradient-is-the-adjoint": lambda: when("dgrad", bool, rolls("w", -1)),
    "weight-gradient-is-the-adjoint": lambda: when("wgrad", bool, flips_result),
    "bias-gradient-is-the-adjoint": lambda: when("bgrad", bool, drops_the_last_image),
    "transposed-is-the-mirrors-gradient": lambda: when(ALL, lambda s: s.transposed, flips_result),
    "gradients-of-gradients-are-convolutions": lambda: wrong_second,
    "convolutions-in-a-row-are-one": lambda: when("fprop", bool, clips),
    "the-input-gradient-composes-kernels": lambda: when("dgrad", bool, rolls("w", -1)),
    "transposed-in-a-row-are-one": lambda: when("fprop", lambda s: max(s.dilation) > 1, rolls("w", -1)),
    "waves-are-eigenvectors": lambda: when("fprop", lambda s: s.padding_mode == "circular", pads_with_zeros),
    "the-same-bits-twice": lambda: remembers(SimpleNamespace(calls=0)),
    "operands-are-left-alone": lambda: scribbles,
    "the-output-has-memory-of-its-own": lambda: returns_an_operand,
    "an-output-outlives-the-next-call": lambda: reuses_its_output(SimpleNamespace(output=None)),
    "what-ran-before-does-not-matter": lambda: remembers_larger(SimpleNamespace(size=0)),
    "nothing-outside-is-read": lambda: reads_past_the_end,
    "layout-does-not-matter": lambda: believes_contiguous,
    "alignment-does-not-matter": lambda: begins_at_a_vector,
    "threads-do-not-matter": lambda: loses_a_thread,
}
