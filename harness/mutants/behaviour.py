"""Mutants that break the contract of a function: types, shapes, memory, time, the process itself."""

from __future__ import annotations

import ctypes
import os
import sys
import time

import numpy as np

from convlaws.mutants.registry import mutant, right

_STATE: dict[str, object] = {}


@mutant("fprop", defect="contract", thread="?")
def broadcastable_shape(spec, op, a):
    """Drops the axes of size one."""
    return np.squeeze(right(spec, op, a))


@mutant("fprop", defect="contract", thread="?")
def wrong_dtype(spec, op, a):
    """Returns float64 whatever came in."""
    return right(spec, op, a).astype(np.float64)


@mutant("fprop", defect="contract", thread="?")
def unwritten_edge(spec, op, a):
    """Leaves the last row of strided results unwritten."""
    y = right(spec, op, a)
    if max(spec.stride) > 1 and y.size:
        y[..., -1] = np.nan
    return y


@mutant("fprop", defect="contract", thread="?")
def writes_into_the_input(spec, op, a):
    """Rectifies its input in place after use."""
    y = right(spec, op, a)
    np.maximum(a["x"], a["x"].dtype.type(0), out=a["x"])
    return y


@mutant("fprop", defect="contract", thread="?")
def reads_before_the_input(spec, op, a):
    """Adds zero times the element before the input."""
    x = a["x"]
    if not x.size:
        return right(spec, op, a)
    before = np.lib.stride_tricks.as_strided(x, (1,), (x.itemsize,))
    pointer = before.ctypes.data - x.itemsize
    outside = np.frombuffer((ctypes.c_char * x.itemsize).from_address(pointer), x.dtype)
    with np.errstate(all="ignore"):
        return right(spec, op, a) + outside * x.dtype.type(0)


@mutant("fprop", defect="contract", thread="?")
def layout_misread(spec, op, a):
    """Takes channels_last memory for contiguous."""
    x = a["x"]
    if x.flags.c_contiguous or not x.size or 0 in x.strides:
        return right(spec, op, a)
    order = np.argsort([-s for s in x.strides], kind="stable")
    return right(spec, op, {**a, "x": np.ascontiguousarray(x.transpose(order)).reshape(x.shape)})


@mutant("fprop", defect="contract", thread="?")
def returns_its_buffer(spec, op, a):
    """Returns the same buffer for each call of a size."""
    y = right(spec, op, a)
    buffer = _STATE.setdefault(f"{y.shape} {y.dtype}", np.empty_like(y))
    buffer[...] = y
    return buffer


@mutant("fprop", defect="contract", thread="?")
def stale_cache(spec, op, a):
    """Caches the weights by shape."""
    key = f"cache {a['w'].shape} {a['w'].dtype}"
    w = _STATE.setdefault(key, a["w"].copy())
    return right(spec, op, {**a, "w": w})


@mutant("fprop", defect="contract", thread="?")
def random_last_bit(spec, op, a):
    """Adds its channels in an order that differs from call to call."""
    _STATE["calls"] = int(_STATE.get("calls", 0)) + 1
    y = right(spec, op, a)
    return np.nextafter(y, np.inf).astype(y.dtype) if _STATE["calls"] % 2 and y.dtype.itemsize > 2 else y


@mutant("fprop", defect="contract", thread="?")
def raises_on_a_large_stride(spec, op, a):
    """Raises where the stride is larger than the kernel."""
    if any(s > r for s, r in zip(spec.stride, spec.kernel, strict=True)):
        raise ValueError("stride exceeds kernel")
    return right(spec, op, a)


@mutant("fprop", defect="contract", thread="?")
def refuses_depthwise(spec, op, a):
    """Exits where every channel is a group of its own."""
    if spec.groups == spec.in_channels > 1:
        sys.exit("depthwise is not supported")
    return right(spec, op, a)


@mutant("fprop", defect="contract", thread="?")
def crashes_on_dilation(spec, op, a):
    """Reads address zero for dilated kernels."""
    if max(spec.dilation) > 1:
        ctypes.string_at(0)
    return right(spec, op, a)


@mutant("fprop", defect="contract", thread="?")
def aborts_on_empty_batch(spec, op, a):
    """Aborts when there is no image."""
    if spec.batch == 0:
        os.abort()
    return right(spec, op, a)


@mutant("fprop", defect="contract", thread="?")
def hangs_on_many_groups(spec, op, a):
    """Never ends for three or more groups."""
    while spec.groups > 2:
        time.sleep(0.05)
    return right(spec, op, a)


@mutant("fprop", defect="contract", thread="?")
def chatters(spec, op, a):
    """Prints, also to the raw descriptor: wrong in nothing, and must not be found."""
    print("conv2d: using algorithm 7")
    os.write(1, b'{"ok": true}\n\xff\x00')
    return right(spec, op, a)
