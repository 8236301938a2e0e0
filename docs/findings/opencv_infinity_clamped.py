"""OpenCV's Conv clamps its results to the finite numbers: Inf and, worse, NaN become 3.4028235e38.

Seen in opencv 5.0, with its newer engine. Here three numbers are multiplied by 1.
"""

import sys

try:
    import cv2
    import numpy as np
    from onnx.parser import parse_model
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

MODEL = """<ir_version: 8, opset_import: ["": 13]>
main (float[1,1,3] x) => (float[1,1,3] y)
<float[1,1,1] w = {1}> {
    y = Conv <kernel_shape = [1], strides = [1], dilations = [1]> (x, w)
}"""

x = np.array([np.inf, np.nan, 1], np.float32).reshape(1, 1, 3)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
y = net.forward().ravel().tolist()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [inf, nan, 1.0]")
sys.exit(int(str(y) != "[inf, nan, 1.0]"))
