"""ONNX's reference evaluator raises a TypeError for a ConvTranspose of no images.

Seen in onnx 1.23: the result is made at the first image, so there is none. A Conv of no images is answered.
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
main (float[0,1,1] x, float[1,1,1] w) => (float[0,1,1] y) {
    y = ConvTranspose <kernel_shape = [1]> (x, w)
}"""
x = np.ones((0, 1, 1), np.float32)
w = np.ones((1, 1, 1), np.float32)

try:
    y = ReferenceEvaluator(parse_model(MODEL)).run(None, {"x": x, "w": w})[0].ravel().tolist()
except TypeError as error:
    y = f"{type(error).__name__}: {str(error)[:80]}"

print(f"onnx {onnx.__version__}: {y}")
print("it should be []")
sys.exit(int(y != []))
