"""OpenVINO's ConvolutionBackpropData with a kernel of one tap puts every value at the wrong place.

Seen in openvino 2026.4, where the stride is 1 and the output_padding gives the result the input's extents again: the kernel
jit_gemm multiplies without shifting. The padding of 1 takes one number off at both ends, the output_padding adds two zeros.
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

x = graph.parameter((1, 1, 3), np.float32)
w = graph.constant(np.ones((1, 1, 1), np.float32))
sizes = {"pads_begin": [1], "pads_end": [1], "dilations": [3], "output_padding": [2]}
y = graph.convolution_backprop_data(x, w, [1], auto_pad="EXPLICIT", **sizes)
compiled = ov.Core().compile_model(ov.Model([y], [x], "m"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

got = compiled(np.array([[[1, 2, 3]]], np.float32))[0].ravel().tolist()

print(f"openvino {ov.__version__}: {got}")
print("it should be [2.0, 3.0, 0.0]")
sys.exit(int(got != [2, 3, 0]))
