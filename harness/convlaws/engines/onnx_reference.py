"""The reference evaluator of ONNX: NumPy code written for clarity and correctness, for every type that ONNX has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from convlaws.engines.onnx_models import PADDINGS, model
from convlaws.errors import Refusal
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import Method, Package, always, register

SCOPE = Scope(
    ops=("fprop",),
    layouts=("contiguous",),
    batch=("empty", "one", "many"),
    padding=PADDINGS,
    padding_mode=("zeros",),
    macs=20_000,  # its transposed convolution is a loop in Python
)


def evaluate(spec: ConvSpec, op: str, arrays: Mapping[str, np.ndarray], options: Mapping[str, Any]) -> np.ndarray:
    """Run onnx.reference.ReferenceEvaluator on a model of one node with constant weights."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    text = model(spec, arrays["x"].dtype.name, arrays)
    with np.errstate(all="ignore"):  # Inf and NaN are intended, and a warning per call would be noise
        try:
            (y,) = ReferenceEvaluator(onnx.load_model_from_string(text)).run(None, {"x": arrays["x"]})
        except RuntimeError as error:  # groups of a ConvTranspose, before 1.16
            if "is not implemented yet" in str(error):
                raise Refusal(str(error)) from None
            raise
    return y


register(
    Method(
        name="onnx-reference",
        says="the reference evaluator of ONNX, Conv and ConvTranspose",
        address=f"{__name__}:evaluate",
        scope=SCOPE,
        contract=always("plain"),
        kind="engine",
        can=frozenset({"mirrors"}),
        home=ProcessSpec(modules=("onnx", "onnx.reference")),
        package=Package(name="onnx", module="onnx", pins=(("<1.17", "numpy<2"),)),
    )
)
