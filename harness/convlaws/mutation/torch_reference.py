"""Reference for the baselines: PyTorch's own convolution of the same operands, in float64, rounded once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from convlaws.engines.tensors import Forward, derived, to_tensor
from convlaws.problem.formats import FORMATS
from convlaws.problem.spec import ConvSpec

_NUMPY_MODE = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def reference(spec: ConvSpec, op: str, operands: Mapping[str, np.ndarray]) -> Any:
    """The expected tensor, in the operands' dtype."""
    dtype = next(iter(operands.values())).dtype.name
    wide = {role: to_tensor(np.array(v, np.float64)) for role, v in operands.items()}
    result = derived(_forward(spec), spec, op, wide).detach()
    return result.to(to_tensor(np.zeros(0, FORMATS[dtype].dtype)).dtype)


def _forward(spec: ConvSpec) -> Forward:
    """torch's convolution without padding, which is applied to x beforehand, so that every padding of ours is possible."""
    from torch.nn import functional as F

    plain = getattr(F, f"conv{'_transpose' if spec.transposed else ''}{spec.ndim}d")

    def forward(x, w, b):
        x = x if spec.batch is not None else x[None]
        if 0 in spec.output:  # torch raises where the kernel is larger than the padded input
            y = x.new_zeros((spec.images, *spec.y_shape[-1 - spec.ndim :])) + 0 * (x.sum() + w.sum())
        elif spec.transposed:
            y = _window(plain(x, w, None, spec.stride, 0, 0, spec.groups, spec.dilation), spec)
        else:
            y = plain(_padded(_spaced(x, spec), spec), w, None, spec.stride, 0, spec.dilation, spec.groups)
        y = y if b is None else y + b.reshape(-1, *[1] * spec.ndim)
        return y if spec.batch is not None else y[0]

    return forward


def _window(full: Any, spec: ConvSpec) -> Any:
    """Crop the full result of a transposed convolution to its output; zeros beyond it."""
    sides: list[int] = []
    for axis in reversed(range(spec.ndim)):
        low = spec.sides[axis][0]
        sides += [-low, spec.output[axis] - (full.shape[2 + axis] - low)]
    return _sided(full, sides)


def _sided(x: Any, sides: list[int]) -> Any:
    """x padded with zeros by the positive sides, then cropped by the negative ones, which may exceed the size of x."""
    from torch.nn import functional as F

    return F.pad(F.pad(x, [max(0, n) for n in sides]), [min(0, n) for n in sides])


def _spaced(x: Any, spec: ConvSpec) -> Any:
    """x with the zeros that `input_dilation` asks for."""
    if max(spec.input_dilation) == 1:
        return x
    wide = x.new_zeros((*x.shape[:2], *spec.spaced))
    wide[(..., *(slice(None, None, step) for step in spec.input_dilation))] = x
    return wide


def _padded(x: Any, spec: ConvSpec) -> Any:
    """x padded, or cropped where the padding is negative."""
    import torch

    if spec.padding_mode == "zeros":
        return _sided(x, [n for sides in reversed(spec.sides) for n in sides])
    for axis, (low, high) in enumerate(spec.sides):
        at = np.pad(np.arange(spec.extent[axis]), (low, high), mode=_NUMPY_MODE[spec.padding_mode])  # type: ignore[call-overload]
        x = x.index_select(2 + axis, torch.from_numpy(at))
    return x
