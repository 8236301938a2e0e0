"""Calls of adapters and functions in this process, made as the host makes them in a child."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from convlaws.engines import host
from convlaws.methods.base import bits_to_array
from convlaws.problem.layouts import place


def laid_out(problem, role, array):
    """Return the array as the sandbox passes it: a view with the problem's strides, bfloat16 as bits."""
    raw = array.view(np.uint16) if problem.dtype == "bfloat16" else array
    where = place(role, array.shape, problem.layout, batched=problem.spec.batch is not None)
    view = where.view(np.zeros(where.elements, raw.dtype))
    view[...] = raw
    return view


def call(problem, operands=None, op=None):
    arrays = {role: laid_out(problem, role, a) for role, a in (operands or problem.operands).items()}
    return SimpleNamespace(spec=str(problem.spec), op=op or problem.op, dtype=problem.dtype, arrays=arrays)


def compute(target, problem):
    raw, tag = host.open_target(target)(call(problem))
    return bits_to_array(raw, tag)
