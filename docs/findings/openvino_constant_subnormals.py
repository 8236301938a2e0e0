"""OpenVINO's CPU plugin replaces subnormal numbers in constants (weights, bias) by zero when it compiles.

Seen in openvino 2026.4, whether or not DENORMALS_OPTIMIZATION is set; numbers that are inputs keep them. Here the one weight
is 1e-40, once a constant and once an input, and multiplies 1.
Upstream: openvinotoolkit/openvino#12315, openvinotoolkit/openvino#3797.
"""

import os
import sys

os.environ["CI"] = "true"  # no telemetry

try:
    import numpy as np
    import openvino as ov
    from openvino import opset8 as graph
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

x = np.ones((1, 1, 1), np.float32)
w = np.full((1, 1, 1), 2.0**-133, np.float32)
got = {}
for kind in ("constant", "input"):
    inputs = [graph.parameter(x.shape, np.float32)] + [graph.parameter(w.shape, np.float32)] * (kind == "input")
    y = graph.convolution(inputs[0], graph.constant(w) if kind == "constant" else inputs[1], [1], [0], [0], [1])
    compiled = ov.Core().compile_model(ov.Model([y], inputs, "m"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    got[kind] = compiled([x, w][: len(inputs)])[0].item()

print(f"openvino {ov.__version__}: {got}")
print(f"it should be {2.0**-133} for both")
sys.exit(int(got["constant"] != 2.0**-133))
