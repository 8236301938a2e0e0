"""A convolution in C (c_conv.c) through ctypes, and the same with a slip in it.

It is compiled with `cc` when it is first called, into the folder `convlaws-examples` of the user's cache.

convlaws check examples/c_conv.py:conv2d
convlaws check examples/c_conv.py:conv2d_with_a_slip
python examples/c_conv.py
"""

import ctypes
import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path

import numpy as np

import convlaws

SOURCE = Path(__file__).with_suffix(".c")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "convlaws-examples"
PAIR = ctypes.c_long * 2
SIZES = ctypes.c_long * 10


class Sizes(ctypes.Structure):
    _fields_ = [("all", SIZES)]


@cache
def _compiled(real):
    key = hashlib.sha256(SOURCE.read_bytes() + real.encode()).hexdigest()[:16]
    library = CACHE / f"c_conv-{key}.so"
    if not library.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = library.with_suffix(f".{os.getpid()}")  # several processes may compile at once: the last renames
        subprocess.run(["cc", "-O3", "-shared", "-fPIC", f"-DREAL={real}", "-o", fresh, SOURCE], check=True)
        fresh.rename(library)
    return ctypes.CDLL(library).conv2d


def _run(x, w, b, stride, padding, dilation, groups):
    axes = zip(x.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)
    extent = [(n + 2 * p - d * (r - 1) - 1) // s + 1 for n, r, s, p, d in axes]
    y = np.zeros((len(x), len(w), *extent), x.dtype)
    if b is not None:
        y += b[:, None, None]
    sizes = Sizes(SIZES(len(x), groups, w.shape[1], len(w) // groups, *x.shape[2:], *w.shape[2:], *extent))
    pointers = (ctypes.c_void_p(a.ctypes.data) for a in (x, w, y))
    _compiled({"f": "float", "d": "double"}[x.dtype.char])(sizes, PAIR(*stride), PAIR(*padding), PAIR(*dilation), *pointers)
    return y


DOES = convlaws.declares(
    signature="conv2d",
    arrays="numpy",
    scope=convlaws.Scope(dtypes=("float64", "float32"), batch=("empty", "one", "many"), padding=("none", "even")),
)


@DOES
def conv2d(input, weight, bias, stride, padding, dilation, groups):
    x, w = np.ascontiguousarray(input), np.ascontiguousarray(weight)
    return _run(x, w, bias, stride, padding, dilation, groups)


@DOES
def conv2d_with_a_slip(input, weight, bias, stride, padding, dilation, groups):
    return _run(input, weight, bias, stride, padding, dilation, groups)  # C knows nothing of strides


if __name__ == "__main__":
    import torch
    from torch.utils.benchmark import Timer

    x, w = torch.randn(4, 64, 28, 28), torch.randn(64, 64, 3, 3)
    rest = (None, (1, 1), (1, 1), (1, 1), 1)
    for name, f, a in (("C", conv2d, (x.numpy(), w.numpy())), ("torch", torch.conv2d, (x, w))):
        timer = Timer("f(*a, *rest)", globals={"f": f, "a": a, "rest": rest}, num_threads=torch.get_num_threads())
        print(f"{name:5}  {timer.blocked_autorange(min_run_time=1).median * 1e3:8.2f} ms")
