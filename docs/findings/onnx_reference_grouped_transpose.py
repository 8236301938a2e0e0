"""ONNX's reference evaluator mistakes the axes of a ConvTranspose of several groups.

Seen in onnx 1.23. It takes each group's weights from the wrong axis, hands the whole bias to each group, and stores a group
as one channel: it raises where the sizes do not fit, and answers wrongly where they do. Here two groups of one channel,
with images of 0, so that the biases 1 and 2 should come out. onnx 1.16 refuses it
in words, which is no defect.
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
main (float[1,2,1] x, float[2,1,1] w, float[2] b) => (float[1,2,1] y) {
    y = ConvTranspose <group = 2, kernel_shape = [1]> (x, w, b)
}"""
x = np.zeros((1, 2, 1), np.float32)
w = np.ones((2, 1, 1), np.float32)
b = np.array([1, 2], np.float32)

try:
    y = ReferenceEvaluator(parse_model(MODEL)).run(None, {"x": x, "w": w, "b": b})[0].ravel().tolist()
except RuntimeError as error:
    print(f"onnx {onnx.__version__} refuses it: {error}; it should be [1.0, 2.0], or refused")
    sys.exit(0)

print(f"onnx {onnx.__version__}: {y}")
print("it should be [1.0, 2.0], or refused")
sys.exit(int(y != [1.0, 2.0]))
