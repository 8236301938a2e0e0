"""MNN on the CPU: expressions, computed when their result is read.

Arrays are converted to MNN's layout of channels in blocks of four, which its convolutions require. Pairs of numbers are
(last axis, axis before it). A bias is always given. Where tiles are faster, MNN uses Winograd by its own choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import Method, Package, always, register

Arrays = Mapping[str, np.ndarray]
PACKAGE = Package(name="MNN", module="MNN")


def convolved(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run MNN.expr.conv2d, or conv2d_transpose."""
    import MNN.expr as F

    F.set_thread_number(1)
    x, w, b = (F.const(arrays[role], arrays[role].shape, F.NCHW) for role in "xwb")
    call = F.conv2d_transpose if spec.transposed else F.conv2d
    low = [side for side, _ in reversed(spec.sides)]
    mode = {"same": F.SAME, "valid": F.VALID}.get(str(spec.padding), F.CAFFE)
    words = {"stride": spec.stride[::-1], "dilate": spec.dilation[::-1], "group": spec.groups}
    y = call(F.convert(x, F.NC4HW4), w, b, padding=low if mode == F.CAFFE else [0, 0], padding_mode=mode, **words)
    return np.array(F.convert(y, F.NCHW).read())


def _row(name: str, says: str, **fields: Any) -> None:
    scope = Scope(
        ops=("fprop",),
        ndim=(2,),
        dtypes=("float32",),
        layouts=("contiguous",),
        bias=(True,),
        batch=("one", "many"),
        padding_mode=("zeros",),
        **fields,
    )
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:convolved",
            scope=scope,
            contract=always("plain"),
            kind="engine",
            home=ProcessSpec(modules=("MNN",)),
            package=PACKAGE,
        )
    )


_row("mnn", "MNN.expr.conv2d on the CPU", transposed=(False,), padding=("none", "even", "same", "valid"))
_row(
    "mnn-transpose", "MNN.expr.conv2d_transpose on the CPU", transposed=(True,), padding=("none", "even"), output_padding=(False,)
)
