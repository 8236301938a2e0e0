"""The scripted engine as functions of torch's signatures, with gradients: for tests of what a user's own function meets.

Without a script they are right on any processor, as no kernel of torch computes anything in them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from scripted.engine import answer

from convlaws.engines.tensors import to_array, to_tensor
from convlaws.spec import ConvSpec


class _Convolution(torch.autograd.Function):
    """y of x, w and b; each gradient is the engine's own."""

    @staticmethod
    def forward(ctx: Any, spec: ConvSpec, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor | None) -> torch.Tensor:
        ctx.spec = spec
        ctx.save_for_backward(x, w)
        return _asked(spec, "fprop", x=x, w=w, **({} if b is None else {"b": b}))

    @staticmethod
    def backward(ctx: Any, gy: torch.Tensor) -> tuple:
        x, w = ctx.saved_tensors
        asked = [("dgrad", {"gy": gy, "w": w}), ("wgrad", {"x": x, "gy": gy}), ("bgrad", {"gy": gy})]
        wanted = ctx.needs_input_grad[1:]
        return None, *(_asked(ctx.spec, op, **given) if want else None for want, (op, given) in zip(wanted, asked, strict=True))


def _asked(spec: ConvSpec, op: str, **tensors: torch.Tensor) -> torch.Tensor:
    found = answer("functions", spec, op, {role: to_array(t) for role, t in tensors.items()})
    return to_tensor(found.copy())


def _numbers(value: Any, ndim: int) -> tuple[int, ...]:
    return (value,) * ndim if isinstance(value, int) else tuple(value)


def _spec(ndim: int, transposed: bool, x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> dict:
    words = isinstance(padding, str)
    return {
        "batch": x.shape[0] if x.ndim == ndim + 2 else None,
        "in_channels": x.shape[-ndim - 1],
        "out_channels": w.shape[1] * groups if transposed else w.shape[0],
        "extent": tuple(x.shape[-ndim:]),
        "kernel": tuple(w.shape[2:]),
        "stride": _numbers(stride, ndim),
        "padding": padding if words else tuple((p, p) for p in _numbers(padding, ndim)),
        "dilation": _numbers(dilation, ndim),
        "groups": groups,
        "bias": b is not None,
        "transposed": transposed,
    }


def _plain(ndim, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    fields = _spec(ndim, False, input, weight, bias, stride, padding, dilation, groups)
    return _Convolution.apply(ConvSpec(**fields), input, weight, bias)


def _transposed(ndim, input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    fields = _spec(ndim, True, input, weight, bias, stride, padding, dilation, groups)
    spec = ConvSpec(**fields, output_padding=_numbers(output_padding, ndim))
    return _Convolution.apply(spec, input, weight, bias)


conv1d, conv2d, conv3d = (partial(_plain, n) for n in (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = (partial(_transposed, n) for n in (1, 2, 3))
