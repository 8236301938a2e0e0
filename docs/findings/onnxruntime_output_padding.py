"""ONNX Runtime before 1.28 puts the values of a ConvTranspose at wrong places if its output_padding is at least the stride.

Seen in onnxruntime 1.15 to 1.27, in two axes and more, and not always the same. ONNX allows an output_padding below the
stride or the dilation; on the second axis here they are 1, 1 and 2. From 1.28 on it is refused in words, which is no
defect. Upstream: microsoft/onnxruntime#14208.
"""

import sys

try:
    import numpy as np
    import onnxruntime
    from onnx.parser import parse_model
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

MODEL = """<ir_version: 7, opset_import: ["": 11]>
main (float[1,1,2,1] x, float[1,1,1,1] w) => (float[1,1,2,2] y) {
    y = ConvTranspose <kernel_shape = [1, 1], dilations = [1, 2], output_padding = [0, 1]> (x, w)
}"""

feeds = {"x": np.array([1, 2], np.float32).reshape(1, 1, 2, 1), "w": np.ones((1, 1, 1, 1), np.float32)}
onnxruntime.set_default_logger_severity(4)
session = onnxruntime.InferenceSession(parse_model(MODEL).SerializeToString(), providers=["CPUExecutionProvider"])

try:
    y = session.run(None, feeds)[0].ravel().tolist()
except Exception as error:
    y = f"refused: {error}"

print(f"onnxruntime {onnxruntime.__version__}: {y}")
print("it should be [1.0, 0.0, 2.0, 0.0], or refused")
sys.exit(int(y != [1, 0, 2, 0] and "output_padding" not in str(y)))
