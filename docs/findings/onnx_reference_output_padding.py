"""ONNX's reference evaluator raises a ValueError for a ConvTranspose whose output_padding is at least the stride.

Seen in onnx 1.23. ONNX allows an output_padding below the stride or the dilation; here they are 1, 1 and 2. The message is
about the number of sliding blocks.
"""

import sys

try:
    import numpy as np
    import onnx
    from onnx.parser import parse_model
    from onnx.reference import ReferenceEvaluator
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

MODEL = """<ir_version: 7, opset_import: ["": 11]>
main (float[1,1,1] x, float[1,1,1] w) => (float[1,1,2] y) {
    y = ConvTranspose <kernel_shape = [1], dilations = [2], output_padding = [1]> (x, w)
}"""
x = np.ones((1, 1, 1), np.float32)
w = np.ones((1, 1, 1), np.float32)

try:
    y = ReferenceEvaluator(parse_model(MODEL)).run(None, {"x": x, "w": w})[0].ravel().tolist()
except ValueError as error:
    y = f"{type(error).__name__}: {str(error)[:80]}"

print(f"onnx {onnx.__version__}: {y}")
print("it should be [1.0, 0.0]")
sys.exit(int(y != [1.0, 0.0]))
