"""Mutants of the double backward: what differentiating the two gradients once more gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convlaws.mutants.registry import mutant, right

# needs and can of each: no law but that of the double backward asks for these ops
_SECOND = {"defect": "indexing", "can": ("second",)}


@mutant("second_gy", thread="pytorch/pytorch#15353", needs=("second-derivative",), **_SECOND)
def second_forgets_the_kernel(spec, op, a):
    """Leaves out what comes by way of the kernel: conv(x, u)."""
    return right(replace(spec, bias=False), "fprop", {"x": a["v"], "w": a["w"]})


@mutant("second_x", thread="pytorch/pytorch#4500", needs=("second-derivative",), **_SECOND)
def second_has_the_other_sign(spec, op, a):
    """Gives the derivative by the image the other sign."""
    return -right(spec, op, a)


@mutant("second_w", thread="pytorch/pytorch#15353", needs=("second-derivative",), like="second-forgets-the-kernel", **_SECOND)
def second_ends_at_the_gradient(spec, op, a):
    """Takes the input gradient for a constant, whose derivative by the kernel is zero."""
    return np.zeros_like(right(spec, op, a))


@mutant("second_x", thread="pytorch/pytorch#4500", needs=("second-derivative", "dilated"), **_SECOND)
def second_forgets_the_dilation(spec, op, a):
    """Reads the direction of the kernel without its holes."""
    u = np.zeros((*a["u"].shape[:2], *spec.reach), a["u"].dtype)
    u[(..., *map(slice, spec.kernel))] = a["u"]
    dense = replace(spec, kernel=spec.reach, dilation=(1,) * spec.ndim)
    return right(dense, op, {**a, "u": u})


@mutant("second_x", "second_w", "second_gy", thread="pytorch/pytorch#1972", needs=("second-derivative", "grouped"), **_SECOND)
def second_raises_on_groups(spec, op, a):
    """Raises where there are groups: it expects all input channels in the kernel."""
    raise RuntimeError(f"expected {spec.in_channels // spec.groups} channels, got {spec.in_channels}")


@mutant("second_w", thread="pytorch/pytorch#1643", needs=("second-derivative", "unused-tail"), **_SECOND)
def second_misplaces_the_tail(spec, op, a):
    """Cuts off at the wrong end what no window reaches of the direction of the image."""
    return right(spec, op, {**a, "v": np.roll(a["v"], 1, axis=-1)})
