"""ONNX's reference evaluator rounds partial results of half types to the half type, as NumPy's arithmetic does.

Seen in onnx 1.23, for the taps of a ConvTranspose and for a sum before its bias. Here 45 * 91 - 4094 = 1, which float16
holds exactly. But 4095 alone is rounded to 4096 on the way, and 2 comes out.
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
main (float16[1,1,1] x, float16[1,1,1] w, float16[1] b) => (float16[1,1,1] y) {
    y = Conv <kernel_shape = [1]> (x, w, b)
}"""
x = np.full((1, 1, 1), 45, np.float16)
w = np.full((1, 1, 1), 91, np.float16)
b = np.array([-4094], np.float16)

y = ReferenceEvaluator(parse_model(MODEL)).run(None, {"x": x, "w": w, "b": b})[0].ravel().tolist()

print(f"onnx {onnx.__version__}: {y}")
print("it should be [1.0]")
sys.exit(int(y != [1.0]))
