"""OpenCV's Conv computes auto_pad SAME_LOWER as SAME_UPPER.

Seen in opencv 4.8 to 5.0, with both engines; with strides, the newer one also puts the odd zero of SAME_UPPER at the low end.
A kernel of two taps needs one zero, which SAME_LOWER puts before the first number.
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
main (float[1,1,4] x) => (float[1,1,4] y)
<float[1,1,2] w = {1, 10}> {
    y = Conv <kernel_shape = [2], strides = [1], dilations = [1], auto_pad = "SAME_LOWER"> (x, w)
}"""

x = np.array([1, 2, 3, 4], np.float32).reshape(1, 1, 4)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
y = net.forward().ravel().tolist()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [10.0, 21.0, 32.0, 43.0]")
sys.exit(int(y != [10.0, 21.0, 32.0, 43.0]))
