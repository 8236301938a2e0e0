"""Without AVX-512, OpenVINO truncates the results of a bfloat16 convolution instead of rounding them.

Seen in openvino 2026.4 held to AVX2. 1.5078125 x 1.5 is 2.26171875; the nearest bfloat16 numbers are 2.25 and 2.265625, and the
second is nearer.
"""

import os
import sys

os.environ["CI"] = "true"  # no telemetry
os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"

try:
    import numpy as np
    import openvino as ov
    from openvino import opset8 as graph
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)


def bfloat16(array):
    """A tensor of numbers that bfloat16 holds; NumPy has no such type, so the upper halves of float32 are handed over."""
    halves = (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return ov.Tensor(halves, ov.Shape(halves.shape), ov.Type.bf16)


arrays = [np.full((1, 1, 1), 1.5078125), np.full((1, 1, 1), 1.5)]
inputs = [graph.parameter(a.shape, ov.Type.bf16) for a in arrays]
model = ov.Model([graph.convolution(*inputs, [1], [0], [0], [1])], inputs, "m")
request = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
result = ov.Tensor(ov.Type.bf16, ov.Shape((1, 1, 1)))
request.set_output_tensor(0, result)
request.infer([bfloat16(a) for a in arrays])
bits = np.frombuffer(result.data, np.uint16).astype(np.uint32) << 16
got = bits.view(np.float32).tolist()

print(f"openvino {ov.__version__}: {got}")
print("it should be [2.265625]")
sys.exit(int(got != [2.265625]))
