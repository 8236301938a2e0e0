"""OpenCV's Conv of one axis reads one number of its two pads for both sides.

Seen in opencv 4.8 to 5.0, with the classic engine: a result of another shape, or out of memory. Here one number, padded by
one at its low end only.
"""

import os
import sys

os.environ["OPENCV_FORCE_DNN_ENGINE"] = "1"  # the classic engine; OpenCV 4 has no other

try:
    import cv2
    import numpy as np
    from onnx.parser import parse_model
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

MODEL = """<ir_version: 8, opset_import: ["": 13]>
main (float[1,1,1] x) => (float[1,1,2] y)
<float[1,1,1] w = {1}> {
    y = Conv <kernel_shape = [1], strides = [1], dilations = [1], pads = [1, 0]> (x, w)
}"""

x = np.ones((1, 1, 1), np.float32)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
try:
    y = net.forward().ravel().tolist()
except cv2.error as error:
    y = str(error).strip()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [0.0, 1.0]")
sys.exit(int(y != [0.0, 1.0]))
