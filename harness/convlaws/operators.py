"""A convolution as a matrix-free operator: for SciPy's solvers, and for torch's autograd.

Both take a spec and the name of a row that computes it, and cost what that row costs: any method of
ours, or any engine that runs in this process. A convolution is a sum of products x w y; each op sums over
two of the three factors, so the gradient of an op is another op, and so is the gradient of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convlaws.engines.host import Compute, open_row
from convlaws.engines.tensors import to_array, to_tensor
from convlaws.errors import Refusal, UsageError
from convlaws.problem.problem import Problem, shape_of
from convlaws.problem.spec import ConvSpec
from convlaws.targets import registry

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

BY = "scatter"  # supports every spec, stores no windows, and is the fastest of our methods for most sizes
OPS = {"y": "fprop", "x": "dgrad", "w": "wgrad"}  # by the factor that is not summed over
ROLES = {"x": "x", "w": "w", "y": "gy"}


def linear_operator(spec: ConvSpec, w: np.ndarray, by: str = BY) -> LinearOperator:
    """Return the matrix-free map of a flattened image to its flattened result, and its adjoint, without the bias.

    `A @ x` and `A.T @ gy` cost a convolution and its input gradient by the row `by`; a matrix of
    columns is processed as one batch. Shape and meaning are those of `sparse_matrix(spec, w)`.

    Raises:
        UsageError: w has not the shape that the spec says.
        Refusal: the row does not do such a convolution.

    >>> A = linear_operator(ConvSpec.parse("n1c1k1_x3_r2"), np.array([[[5.0, 7.0]]]))
    >>> A @ np.array([1.0, 2.0, 3.0]), A.T @ np.array([1.0, 0.0])
    (array([19., 31.]), array([5., 7., 0.]))
    """
    from scipy.sparse.linalg import LinearOperator

    w = np.array(w)  # a copy, so that later changes by the caller have no effect
    compute = _computing(spec, by, w.dtype.name, "fprop", "dgrad")
    one = _fitting(spec, {"w": w})
    sizes = {role: prod(shape_of(one, role)[1:]) for role in ("x", "gy")}

    def times(op: str, role: str, columns: np.ndarray) -> np.ndarray:
        many = replace(one, batch=columns.shape[1])
        images = np.ascontiguousarray(columns.T, w.dtype).reshape(shape_of(many, role))
        return compute(many, op, {role: images, "w": w}).reshape(columns.shape[1], -1).T

    return LinearOperator(
        shape=(sizes["gy"], sizes["x"]),
        dtype=w.dtype,
        matvec=lambda x: times("fprop", "x", x.reshape(-1, 1))[:, 0],
        rmatvec=lambda gy: times("dgrad", "gy", gy.reshape(-1, 1))[:, 0],
        matmat=lambda x: times("fprop", "x", x),
        rmatmat=lambda gy: times("dgrad", "gy", gy),
    )


def differentiable(spec: ConvSpec, by: str = BY) -> Callable[..., Any]:
    """Return (x, w, b=None) -> y on torch CPU tensors, computed by the row `by`, with derivatives of any order.

    The batch is that of x; all other sizes are those of the spec.

    Raises:
        Refusal: the row does not do such a convolution.
        UsageError: from a call, a tensor whose shape is not that of the spec.
    """
    from torch import enable_grad

    computing = lru_cache(partial(_computing, spec, by))
    computing("float32", "fprop")

    def contract(places: tuple[str, str], *tensors: Any) -> Any:
        arrays = dict(zip(places, map(to_array, tensors), strict=True))
        (open_place,) = OPS.keys() - arrays.keys()
        op, called = OPS[open_place], _fitting(spec, arrays)
        compute = computing(arrays[places[0]].dtype.name, op)
        with enable_grad():  # torch's own rows compute gradients by autograd
            return to_tensor(compute(called, op, {ROLES[place]: a for place, a in arrays.items()}))

    def convolution(x: Any, w: Any, b: Any = None) -> Any:
        y = _contraction().apply(contract, ("x", "w"), x, w)
        return y if b is None else y + b.reshape(-1, *(1,) * spec.ndim)

    return convolution


@lru_cache(maxsize=1)
def _contraction() -> Any:
    from torch.autograd import Function

    class Contraction(Function):
        """The contraction of two of the factors x, w and y; its derivatives are contractions of the same kind."""

        @staticmethod
        def forward(contract, places, one, two):
            return contract(places, one, two)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.contract, ctx.places, *tensors = inputs
            ctx.save_for_backward(*tensors)

        @staticmethod
        def backward(ctx, gradient):
            (open_place,) = OPS.keys() - set(ctx.places)
            found: list[Any] = [None, None]
            for wanted, other, tensor in zip((0, 1), (1, 0), reversed(ctx.saved_tensors), strict=True):
                if ctx.needs_input_grad[2 + wanted]:
                    found[wanted] = Contraction.apply(ctx.contract, (open_place, ctx.places[other]), gradient, tensor)
            return None, None, *found

    return Contraction


def _fitting(spec: ConvSpec, arrays: dict[str, np.ndarray]) -> ConvSpec:
    """Return the spec without bias, with the batch of the images among the arrays; raise UsageError for an unfitting shape."""
    images = [a for place, a in arrays.items() if place != "w"]
    batch = 1 if not images else len(images[0]) if images[0].ndim == spec.ndim + 2 else None
    fitting = replace(spec, batch=batch, bias=False)
    for place, a in arrays.items():
        if a.shape != shape_of(fitting, place):
            raise UsageError(f"the shape of {place} is {a.shape}, {fitting} needs {shape_of(fitting, place)}")
    return fitting


def _computing(spec: ConvSpec, by: str, dtype: str, *ops: str) -> Compute:
    """Return the row's code if it supports these ops; size limits that only keep a search fast are ignored."""
    row = registry.get(by)
    if row.absent:
        raise Refusal(row.absent)
    scope, plain = replace(row.scope, macs=0, matrix=0), replace(spec, bias=False)
    for op in ops:
        if reason := scope.refuses(Problem(spec=plain, op=op, dtype=dtype)):
            raise Refusal(f"{by}: {reason}")
    return open_row({"row": by})
