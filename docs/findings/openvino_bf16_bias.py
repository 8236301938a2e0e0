"""OpenVINO rounds a bfloat16 convolution to bfloat16 before it adds a bias that is an input.

Seen in openvino 2026.4. Here 255 + 1 + 1 - 256 = 1, which bfloat16 holds exactly. But 257 alone is rounded to 256 on the way,
and 0 comes out. Of three results instead of 17, and of a constant bias, the same sum is right.
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


kernel = np.array([255.0, 1, 1]).reshape(1, 1, 3)
arrays = [np.ones((1, 1, 19)), kernel, np.full((1, 1, 1), -256.0)]
inputs = [graph.parameter(a.shape, ov.Type.bf16) for a in arrays]
y = graph.add(graph.convolution(*inputs[:2], [1], [0], [0], [1]), inputs[2])
model = ov.Model([graph.convert(y, "f32")], inputs, "m")
request = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
request.infer([bfloat16(a) for a in arrays])
got = request.get_output_tensor(0).data.ravel().tolist()

print(f"openvino {ov.__version__}: {got}")
print("it should be 17 times 1.0")
sys.exit(int(set(got) != {1.0}))
