"""TVM on the CPU: a convolution of its operator library (topi), compiled by LLVM for the exact sizes of each problem.

Its rows are of the kind "compiled": a compilation takes 0.2 to 0.5 s (measured 2026-11-21). No schedule is given,
so the loops of the operator's definition run, on one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from convlaws.engines import kernel_log
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import Method, Package, always, register

PACKAGE = Package(name="apache-tvm", module="tvm")
HOME = ProcessSpec(modules=("tvm", "tvm.topi"))
KEPT = 64  # compiled functions that a child keeps
NAMES = {1: "conv1d_ncw", 2: "conv2d_nchw", 3: "conv3d_ncdhw"}


def _defined(spec: ConvSpec, x: Any, w: Any, dtype: str) -> Any:
    """The topi expression of y for symbolic x and w."""
    from tvm.topi import nn

    low, high = zip(*spec.sides, strict=True)
    sizes = (x, w, list(spec.stride), [*low, *high], list(spec.dilation))
    if spec.ndim == 3:
        return nn.conv3d_ncdhw(*sizes, spec.groups, dtype)
    if spec.groups > 1:
        return getattr(nn, f"group_{NAMES[spec.ndim]}")(*sizes, spec.groups, dtype)
    return getattr(nn, NAMES[spec.ndim])(*sizes, dtype)


@lru_cache(maxsize=KEPT)
def _compiled(spec: ConvSpec, dtype: str) -> Callable[..., None]:
    """(x, w, y) -> None: the result is written to y."""
    import tvm
    from tvm import te

    x = te.placeholder(spec.x_shape, dtype=dtype, name="x")
    w = te.placeholder(spec.w_shape, dtype=dtype, name="w")
    return tvm.compile(te.create_prim_func([x, w, _defined(spec, x, w, dtype)]), target="llvm")


def convolve(spec: ConvSpec, op: str, arrays: Mapping[str, np.ndarray], options: Mapping[str, Any]) -> np.ndarray:
    """Run topi.nn.conv1d_ncw and so on; y is filled with NaN first, so that elements not written show."""
    import tvm

    x, w = arrays["x"], arrays["w"]
    y = tvm.runtime.tensor(np.full(spec.y_shape, np.nan, x.dtype))
    _compiled(spec, x.dtype.name)(tvm.runtime.tensor(x), tvm.runtime.tensor(w), y)
    kernel_log.ran(f"LLVM of TVM {tvm.__version__}")
    return y.numpy()


register(
    Method(
        name="compiled-tvm",
        says="topi.nn.conv1d_ncw to conv3d_ncdhw, grouped too, compiled by TVM",
        address=f"{__name__}:convolve",
        scope=Scope(
            ops=("fprop",),
            dtypes=("float32", "float64"),
            transposed=(False,),
            bias=(False,),
            layouts=("contiguous",),  # its tensors are copies
            batch=("empty", "one", "many"),
            padding=("none", "even", "uneven"),
            padding_mode=("zeros",),
        ),
        contract=always("plain"),
        kind="compiled",
        home=HOME,
        package=PACKAGE,
    )
)
