"""PyTorch's own sample inputs for its convolutions (OpInfo), with their tolerances.

Each sample is asked for its output, the gradients of all inputs, and (float64) the second derivatives, in the four
dtypes, on contiguous and on non-contiguous operands, and compared with torch: what `test_ops.py`,
`test_ops_gradients.py` and the consistency tests of other backends do with them, in one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from convlaws.engines.tensors import to_array
from convlaws.mutation.baseline import Question
from convlaws.problem.problem import DTYPES, OPS, Problem, roles, shape_of
from convlaws.problem.request import SECOND
from convlaws.problem.spec import ConvSpec
from convlaws.targets.registry import Method

NAMES = tuple(f"nn.functional.conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))
LAYOUTS = ("contiguous", "sliced")
# what test_ops.py (test_compare_cpu) allows another implementation; half types round once more, so they keep the defaults
TOLERANCE = {"float32": {"rtol": 1e-3, "atol": 1e-3}, "float64": {"rtol": 1e-3, "atol": 1e-3}}


def absent() -> str:
    """The reason why the samples are not available; '' if they are."""
    return "" if find_spec("expecttest") else "PyTorch's sample inputs need expecttest: pip install expecttest"


def questions(method: Method, seed: int) -> Iterator[Question]:
    """All samples within the method's scope, in torch's order; torch draws their numbers from `seed`."""
    os.environ.setdefault(
        "SETUPTOOLS_USE_DISTUTILS", "stdlib"
    )  # setuptools, which torch imports, complains about a distutils that is already imported
    import torch

    with torch.backends.__allow_nonbracketed_mutation():  # the import freezes torch's switches for the whole process
        from torch.testing._internal.common_methods_invocations import op_db

    torch.manual_seed(seed)
    rows = [row for row in op_db if row.name in NAMES]
    for dtype in (name for name in DTYPES if name in method.scope.dtypes):
        for row in rows:
            for sample in row.sample_inputs("cpu", getattr(torch, dtype), requires_grad=False):
                yield from _of_sample(method, row.name, dtype, sample)


def _of_sample(method: Method, name: str, dtype: str, sample: Any) -> Iterator[Question]:
    spec = _spec(name, sample)
    ops = (*OPS, *(SECOND if "second" in method.can and dtype == "float64" else ()))
    for op in (op for op in ops if op != "bgrad" or spec.bias):
        operands = _operands(spec, op, sample)
        for layout in LAYOUTS:
            problem = Problem(spec=spec, op="fprop" if op in SECOND else op, dtype=dtype, layout=layout)
            if method.scope.refuses(problem) is None:
                says = f"{spec} {op} {dtype} {layout}, a sample of {name}"
                allowed = TOLERANCE.get(dtype, {})
                yield Question(spec=spec, op=op, operands=operands, layout=layout, tolerance=allowed, says=says)


def _spec(name: str, sample: Any) -> ConvSpec:
    """The ConvSpec of a sample."""
    x, (w, b), how = sample.input, sample.args, sample.kwargs
    ndim, transposed, groups = int(name[-2]), "transpose" in name, how.get("groups", 1)
    lead = x.dim() - ndim - 1

    def each(field: str, default: int) -> tuple[int, ...]:
        value = how.get(field, default)
        return (value,) * ndim if isinstance(value, int) else tuple(value) * (ndim // len(value))

    padding = how.get("padding", 0)
    return ConvSpec(
        batch=x.shape[0] if lead else None,
        in_channels=x.shape[lead],
        out_channels=w.shape[1] * groups if transposed else w.shape[0],
        extent=tuple(x.shape[lead + 1 :]),
        kernel=tuple(w.shape[2:]),
        stride=each("stride", 1),
        dilation=each("dilation", 1),
        padding=padding if isinstance(padding, str) else tuple((p, p) for p in each("padding", 0)),
        output_padding=each("output_padding", 0),
        groups=groups,
        bias=b is not None,
        transposed=transposed,
    )


def _operands(spec: ConvSpec, op: str, sample: Any) -> Mapping[str, np.ndarray]:
    """The sample's own arrays; those it lacks (gy, and the directions of second derivatives) are drawn as torch draws them."""
    import torch

    given = dict(zip("xwb", (sample.input, *sample.args), strict=True))
    wanted = ("x", "w", "gy", "v", "u") if op in SECOND else roles(spec, op)
    like = {"v": "x", "u": "w"}
    operands = {}
    for role in wanted:
        shape = shape_of(spec, like.get(role, role))
        tensor = given.get(role)
        tensor = torch.testing.make_tensor(shape, dtype=sample.input.dtype, device="cpu") if tensor is None else tensor
        operands[role] = to_array(tensor)
    return operands
