"""A problem as an ONNX model of one node, Conv or ConvTranspose."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from convlaws.engines.onnx_wire import Attribute, Value, one_node
from convlaws.problem.spec import ConvSpec

# (IR version, opset): as old as the operators allow, so that old engines load the model.
# Opset 11 defined both operators as they are now; opset 22 only added bfloat16.
RELEASE, BFLOAT16 = (6, 11), (10, 22)
# torch's 'same', which requires stride 1, puts the odd zero high, as SAME_UPPER does
AUTO_PAD = {"same": "SAME_UPPER", "sameupper": "SAME_UPPER", "samelower": "SAME_LOWER", "valid": "VALID"}
PADDINGS = ("none", "even", "uneven", *AUTO_PAD)  # the paddings that ONNX supports: none that crops


def attributes(spec: ConvSpec, *, shaped: bool = False) -> dict[str, Attribute]:
    """The attributes of the node; `shaped` gives output_shape, from which the engine derives the padding."""
    entries: dict[str, Attribute] = {
        "kernel_shape": spec.kernel,
        "strides": spec.stride,
        "dilations": spec.dilation,
        "group": spec.groups,
    }
    if any(spec.output_padding):
        entries["output_padding"] = spec.output_padding
    if shaped:
        return {**entries, "output_shape": spec.output}
    if isinstance(spec.padding, str):
        return {**entries, "auto_pad": AUTO_PAD[spec.padding]}
    low, high = zip(*spec.sides, strict=True)
    return {**entries, "pads": (*low, *high)}


def model(
    spec: ConvSpec, dtype: str, arrays: Mapping[str, np.ndarray], *, fed: Collection[str] = ("x",), shaped: bool = False
) -> bytes:
    """The model: inputs x, w, b (if spec.bias), output y; roles that are not `fed` are initializers with values from `arrays`."""
    shapes = {"x": spec.x_shape, "w": spec.w_shape} | ({"b": spec.b_shape} if spec.bias else {})
    return one_node(
        "ConvTranspose" if spec.transposed else "Conv",
        [Value(role, dtype, shape) for role, shape in shapes.items()],
        Value("y", dtype, spec.y_shape),
        attributes(spec, shaped=shaped),
        held={role: arrays[role] for role in shapes if role not in fed},
        release=BFLOAT16 if dtype == "bfloat16" else RELEASE,
    )
