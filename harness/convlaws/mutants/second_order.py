"""Mutants of the double backward: what differentiating the two gradients once more gives."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from convlaws.mutants.registry import mutant, right

# no law but that of the double backward asks for these ops
second = partial(mutant, defect="indexing", can=("second",))


@second("second_gy", thread="pytorch/pytorch#15353", needs=("second-derivative",))
def second_forgets_the_kernel(spec, op, a):
    """Leaves out what comes by way of the kernel: conv(x, u)."""
    return right(replace(spec, bias=False), "fprop", {"x": a["v"], "w": a["w"]})


@second("second_x", thread="pytorch/pytorch#4500", needs=("second-derivative",))
def second_has_the_other_sign(spec, op, a):
    """Gives the derivative by the image the other sign."""
    return -right(spec, op, a)


@second("second_w", thread="pytorch/pytorch#15353", needs=("second-derivative",), like="second-forgets-the-kernel")
def second_ends_at_the_gradient(spec, op, a):
    """Takes the input gradient for a constant, whose derivative by the kernel is zero."""
    return np.zeros_like(right(spec, op, a))


@second("second_x", thread="pytorch/pytorch#4500", needs=("second-derivative", "dilated"))
def second_forgets_the_dilation(spec, op, a):
    """Reads the direction of the kernel without its holes."""
    u = np.zeros((*a["u"].shape[:2], *spec.reach), a["u"].dtype)
    u[(..., *map(slice, spec.kernel))] = a["u"]
    dense = replace(spec, kernel=spec.reach, dilation=(1,) * spec.ndim)
    return right(dense, op, {**a, "u": u})


@second("second_x", "second_w", "second_gy", thread="pytorch/pytorch#1972", needs=("second-derivative", "grouped"))
def second_raises_on_groups(spec, op, a):
    """Raises where there are groups: it expects all input channels in the kernel."""
    raise RuntimeError(f"expected {spec.in_channels // spec.groups} channels, got {spec.in_channels}")


@second("second_w", thread="pytorch/pytorch#1643", needs=("second-derivative", "unused-tail"))
def second_misplaces_the_tail(spec, op, a):
    """Cuts off at the wrong end what no window reaches of the direction of the image."""
    return right(spec, op, {**a, "v": np.roll(a["v"], 1, axis=-1)})
