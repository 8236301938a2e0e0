"""The least cost of a problem: multiply-adds with two factors, and bytes that must be moved."""

from __future__ import annotations

from math import prod

from convlaws.problem.problem import RESULT, Problem, roles, shape_of
from convlaws.problem.spec import ConvSpec


def flops(problem: Problem) -> int:
    """Return the flops: two per multiply-add, and one per addition of a bias.

    A tap over a zero of the padding, or between the elements of a dilated input, is not counted, as no
    multiplication is needed. A tap over a copy made by another padding mode is counted.

    >>> flops(Problem.parse("n1c1k1_x4_r3_p1")), flops(Problem.parse("n1c1k1_x4_r3_p1_mcircular_b"))
    (20, 28)
    """
    spec, op = problem.spec, problem.op
    if op == "bgrad":
        return prod(spec.y_shape)
    products = spec.images * prod(spec.w_shape[:2]) * prod(_meetings(spec, axis) for axis in range(spec.ndim))
    return 2 * products + (prod(spec.y_shape) if op == "fprop" and spec.bias else 0)


def traffic(problem: Problem) -> int:
    """Return the bytes of each operand, read once, and of the result, written once."""
    shapes = [shape_of(problem.spec, role) for role in roles(problem.spec, problem.op)]
    elements = sum(map(prod, [*shapes, shape_of(problem.spec, RESULT[problem.op])]))
    return elements * problem.format.dtype.itemsize


def _meetings(spec: ConvSpec, axis: int) -> int:
    """Count the pairs of a place on the narrow side and a tap that meet an element on the wide side of `axis`."""
    narrow, wide = (spec.extent, spec.output) if spec.transposed else (spec.output, spec.spaced)
    stride, dilation, gap = spec.stride[axis], spec.dilation[axis], spec.input_dilation[axis]
    if spec.padding_mode != "zeros":
        return narrow[axis] * spec.kernel[axis]
    return sum(
        0 <= (at := o * stride + tap * dilation - spec.sides[axis][0]) < wide[axis] and at % gap == 0
        for o in range(narrow[axis])
        for tap in range(spec.kernel[axis])
    )
