"""The scripted engine as functions of torch's signatures, with derivatives of any order.

They are what a user's own function is in the tests. Without a script they are right on any processor: no kernel of torch
computes a convolution in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from convlaws.engines.tensors import to_array, to_tensor
from convlaws.problem.spec import ConvSpec
from scripted import engine

JOINED = {"fprop": ("x", "w", "gy"), "dgrad": ("gy", "w", "x"), "wgrad": ("x", "gy", "w")}  # op: its operands, its result
GIVES = {result: op for op, (_, _, result) in JOINED.items()}


def _asked(spec: ConvSpec, op: str, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return to_tensor(engine.answer("functions", spec, op, {role: to_array(t) for role, t in tensors.items()}).copy())


class _Joined(torch.autograd.Function):
    """One of x, w and gy by the other two; its derivatives are the others."""

    @staticmethod
    def forward(ctx: Any, spec: ConvSpec, op: str, one: torch.Tensor, two: torch.Tensor, b: torch.Tensor | None) -> torch.Tensor:
        ctx.spec, ctx.op = spec, op
        ctx.save_for_backward(one, two)
        first, second, _ = JOINED[op]
        return _asked(spec, op, {first: one, second: two} | ({} if b is None else {"b": b}))

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple:
        first, second, third = JOINED[ctx.op]
        held = dict(zip((first, second), ctx.saved_tensors, strict=True)) | {third: g}

        def by(place: str) -> torch.Tensor:
            *operands, _ = JOINED[GIVES[place]]
            return _Joined.apply(ctx.spec, GIVES[place], *(held[role] for role in operands), None)

        wanted = ctx.needs_input_grad
        found = [by(place) if want else None for place, want in zip((first, second), wanted[2:4], strict=True)]
        return None, None, *found, _Summed.apply(ctx.spec, g) if wanted[4] else None


class _Summed(torch.autograd.Function):
    """The gradient of the bias."""

    @staticmethod
    def forward(ctx: Any, spec: ConvSpec, gy: torch.Tensor) -> torch.Tensor:
        ctx.spec = spec
        return _asked(spec, "bgrad", {"gy": gy})

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple:
        return None, g.reshape(-1, *(1,) * ctx.spec.ndim).expand(ctx.spec.y_shape)


def _called(
    kind: tuple[int, bool], x: Any, w: Any, b: Any, groups: int, padding: Any, output_padding: Any = 0, **steps: Any
) -> Any:
    """The result of one call; numbers are those of each axis, as torch takes them."""
    ndim, transposed = kind

    def each(value: Any) -> tuple[int, ...]:
        return (value,) * ndim if isinstance(value, int) else tuple(value)

    spec = ConvSpec(
        batch=x.shape[0] if x.ndim == ndim + 2 else None,
        in_channels=x.shape[-ndim - 1],
        out_channels=w.shape[1] * groups if transposed else w.shape[0],
        extent=tuple(x.shape[-ndim:]),
        kernel=tuple(w.shape[2:]),
        padding=padding if isinstance(padding, str) else tuple((p, p) for p in each(padding)),
        output_padding=each(output_padding),
        groups=groups,
        bias=b is not None,
        transposed=transposed,
        **{name: each(value) for name, value in steps.items()},
    )
    return _Joined.apply(spec, "fprop", x, w, b)


def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return _called((1, False), input, weight, bias, groups, padding, stride=stride, dilation=dilation)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return _called((2, False), input, weight, bias, groups, padding, stride=stride, dilation=dilation)


def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return _called((3, False), input, weight, bias, groups, padding, stride=stride, dilation=dilation)


def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    return _called((1, True), input, weight, bias, groups, padding, output_padding, stride=stride, dilation=dilation)


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    return _called((2, True), input, weight, bias, groups, padding, output_padding, stride=stride, dilation=dilation)


def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    return _called((3, True), input, weight, bias, groups, padding, output_padding, stride=stride, dilation=dilation)
