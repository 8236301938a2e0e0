"""ONNX's reference evaluator makes a NaN of an Inf that lies under a hole of a dilated kernel.

Seen in onnx 1.23: it fills the holes with zeros and multiplies by them. A kernel of two taps and dilation 2 does not see
the number in the middle: the result is 1 + 1.
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
main (float[1,1,3] x, float[1,1,2] w) => (float[1,1,1] y) {
    y = Conv <kernel_shape = [2], dilations = [2]> (x, w)
}"""
x = np.array([1, np.inf, 1], np.float32).reshape(1, 1, 3)
w = np.ones((1, 1, 2), np.float32)

with np.errstate(invalid="ignore"):
    y = ReferenceEvaluator(parse_model(MODEL)).run(None, {"x": x, "w": w})[0].ravel().tolist()

print(f"onnx {onnx.__version__}: {y}")
print("it should be [2.0]")
sys.exit(int(y != [2.0]))
