"""OpenVINO's bfloat16 convolutions flush subnormal numbers to zero.

Seen in openvino 2026.4 on a processor with AVX512_BF16, whose bfloat16 instructions do so. One number times 1 should be that
number: bfloat16 holds 9.2e-41 exactly.
"""

import os
import sys
from pathlib import Path

os.environ["CI"] = "true"  # no telemetry

try:
    import numpy as np
    import openvino as ov
    from openvino import opset8 as graph
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

cpu = Path("/proc/cpuinfo")
if not cpu.exists() or "avx512_bf16" not in cpu.read_text():
    print("cannot be run: the processor is not known to have avx512_bf16")
    sys.exit(77)


def bfloat16(array):
    """A tensor of numbers that bfloat16 holds; NumPy has no such type, so the upper halves of float32 are handed over."""
    halves = (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return ov.Tensor(halves, ov.Shape(halves.shape), ov.Type.bf16)


arrays = [np.full((1, 1, 1), 2.0**-133), np.ones((1, 1, 1))]
inputs = [graph.parameter(a.shape, ov.Type.bf16) for a in arrays]
y = graph.convolution(*inputs, [1], [0], [0], [1])
model = ov.Model([graph.convert(y, "f32")], inputs, "m")
request = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
request.infer([bfloat16(a) for a in arrays])
got = request.get_output_tensor(0).data.ravel().tolist()

print(f"openvino {ov.__version__}: {got}")
print("it should be [9.183549615799121e-41]")
sys.exit(int(got != [2.0**-133]))
