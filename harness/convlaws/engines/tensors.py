"""Conversion of arrays to torch tensors and back, and a forward function's derivatives; torch is imported on use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convlaws.errors import Refusal
from convlaws.problem.formats import FORMATS
from convlaws.problem.problem import RESULT
from convlaws.problem.request import SECOND
from convlaws.problem.spec import ConvSpec

Forward = Callable[[Any, Any, Any], Any]  # (x, w, b or None) -> y
NO_GRADIENT = "its output carries no gradient: dgrad, wgrad and bgrad are not judged"


def to_tensor(array: np.ndarray) -> Any:
    """A tensor on the same memory, with the same strides."""
    import torch

    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def to_array(tensor: Any) -> np.ndarray:
    """The array on a tensor's memory."""
    import torch

    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.uint16).numpy().view(FORMATS["bfloat16"].dtype)
    return tensor.numpy()


def derived(forward: Forward, spec: ConvSpec, op: str, tensors: Mapping[str, Any]) -> Any:
    """`op` of `forward` by autograd; operands that the op does not name are zeros.

    Every operand requires a gradient, as in training, but only the requested one is computed.

    Raises:
        Refusal: the output has no gradient.
    """
    import torch

    x, w, b = _operands(spec, tensors)
    if op == "fprop":
        return forward(x, w, b)
    leaves = {role: t.requires_grad_() for role, t in zip("xwb", (x, w, b), strict=True) if t is not None}
    if op in SECOND:
        return _second(forward, op, leaves, tensors)
    y = forward(x, w, b)
    if isinstance(y, torch.Tensor) and not y.requires_grad:
        raise Refusal(NO_GRADIENT)
    return torch.autograd.grad(y, leaves[RESULT[op]], tensors["gy"])[0]


def prepared(forward: Forward, spec: ConvSpec, op: str, tensors: Mapping[str, Any]) -> Callable[[], Any]:
    """A function that computes `op` repeatedly; for a gradient, the forward pass is recorded once, here."""
    import torch

    x, w, b = _operands(spec, tensors)
    if op == "fprop":
        return lambda: forward(x, w, b)
    leaves = {role: t.requires_grad_() for role, t in zip("xwb", (x, w, b), strict=True) if t is not None}
    y, by = forward(x, w, b), leaves[RESULT[op]]
    return lambda: torch.autograd.grad(y, by, tensors["gy"], retain_graph=True)[0]


def _operands(spec: ConvSpec, tensors: Mapping[str, Any]) -> list[Any]:
    import torch

    like = next(iter(tensors.values()))
    shapes = {"x": spec.x_shape, "w": spec.w_shape} | ({"b": spec.b_shape} if spec.bias else {})
    missing = {
        role: torch.zeros(shape, dtype=like.dtype, device=like.device) for role, shape in shapes.items() if role not in tensors
    }
    return [{**missing, **tensors}.get(role) for role in "xwb"]


def _second(forward: Forward, op: str, leaves: dict[str, Any], tensors: Mapping[str, Any]) -> Any:
    """The derivative of <dgrad(gy, w), v> + <wgrad(x, gy), u> by x, w or gy."""
    import torch

    leaves = {**leaves, "gy": tensors["gy"].requires_grad_()}
    y = forward(leaves["x"], leaves["w"], leaves.get("b"))
    first = torch.autograd.grad(y, (leaves["x"], leaves["w"]), leaves["gy"], create_graph=True)
    by = leaves[op.removeprefix("second_")]
    derivative = torch.autograd.grad(first, by, (tensors["v"], tensors["u"]), allow_unused=True)[0]
    return torch.zeros_like(by) if derivative is None else derivative
