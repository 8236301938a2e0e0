"""A host whose targets return simple results, or report the call that they got."""

import json
import os
import time

import numpy as np

THREADS = []
REUSED = {}


def preload():
    pass


def set_threads(n):
    THREADS.append(n)


def _first(call):
    return next(iter(call.arrays.values()))


def zeros(call):
    return np.zeros(_first(call).shape, np.float32), "float32"


def copy_of(role):
    return lambda call: (call.arrays[role].copy(), call.dtype)


def view_of(role):
    return lambda call: (call.arrays[role][:1], call.dtype)


def said(call):
    """Return the call as JSON: spec, op, dtype, shapes, strides in elements, alignment, threads, process id."""
    arrays = {
        role: [a.shape, [s // a.itemsize for s in a.strides], a.ctypes.data % 64 // a.itemsize, str(a.dtype)]
        for role, a in call.arrays.items()
    }
    text = json.dumps([call.spec, call.op, call.dtype, arrays, THREADS, os.getpid()])
    return np.frombuffer(text.encode(), np.uint8), "uint8"


def around(call):
    """Return the three elements before and after x in memory."""
    x = call.arrays["x"]
    flat = np.lib.stride_tricks.as_strided(x.reshape(-1)[:1], (x.size + 6,), x.strides[-1:])
    whole = np.ndarray(flat.shape, flat.dtype, _memory(x.ctypes.data - 3 * x.itemsize, flat.nbytes))
    return np.concatenate([whole[:3], whole[-3:]]), call.dtype


def _memory(address, size):
    import ctypes

    return (ctypes.c_char * size).from_address(address)


def reused(call):
    """Return the same output buffer at all calls."""
    buffer = REUSED.setdefault(0, np.zeros(4, np.float32))
    buffer += 1
    return buffer, "float32"


def wide(call):
    return np.zeros((8 << 20,), np.uint8), "uint8"


def other_shape(call):
    return np.arange(6, dtype=np.int64).reshape(2, 3)[:, ::-1], "int64"


def nothing_written(call):
    """Return an empty output, so that nothing is written into the output region."""
    return np.empty((0, 3), np.float32), "float32"


def slowly(call):
    time.sleep(0.1)
    return zeros(call)


def before_x(call):
    """Overwrite the element before x, which is not part of x."""
    x = call.arrays["x"]
    _memory(x.ctypes.data - x.itemsize, x.itemsize)[:] = b"\0" * x.itemsize
    return zeros(call)


def into(role):
    def write(call):
        call.arrays[role][...] = 3
        return zeros(call)

    return write


TARGETS = {
    f.__name__: f for f in (zeros, said, around, reused, wide, other_shape, nothing_written, slowly, before_x)
} | {
    "copy x": copy_of("x"),
    "copy w": copy_of("w"),
    "view x": view_of("x"),
    "into x": into("x"),
    "into w": into("w"),
}  # fmt: skip


def open_target(target):
    return TARGETS[target["do"]]
