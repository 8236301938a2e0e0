"""OpenCV's depthwise kernel for 3 taps reads outside of an image that is shorter than the kernel, or padded by more than one.

Seen in opencv 4.8 to 5.0, with the classic engine: garbage comes out. Two channels of 9 x 1 ones, a 3 x 3 kernel of ones and
padding 1.
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
main (float[1,2,9,1] x) => (float[1,2,9,1] y)
<float[2,1,3,3] w = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}> {
    y = Conv <kernel_shape = [3, 3], strides = [1, 1], dilations = [1, 1], pads = [1, 1, 1, 1], group = 2> (x, w)
}"""

x = np.ones((1, 2, 9, 1), np.float32)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
y = net.forward().ravel().tolist()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0] * 2")
sys.exit(int(y != [2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0] * 2))
