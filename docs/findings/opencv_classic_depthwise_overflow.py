"""OpenCV's depthwise kernel for 3 taps gives a NaN where a sum of positive numbers overflows.

Seen in opencv 4.8 to 5.0, with the classic engine, in an image narrower than the kernel. Two channels of 3 x 2 numbers 2e38,
a 3 x 3 kernel of twos and padding 1 on the second axis.
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
main (float[1,2,3,2] x) => (float[1,2,1,2] y)
<float[2,1,3,3] w = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}> {
    y = Conv <kernel_shape = [3, 3], strides = [1, 1], dilations = [1, 1], pads = [0, 1, 0, 1], group = 2> (x, w)
}"""

x = np.full((1, 2, 3, 2), 2e38, np.float32)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
y = net.forward().ravel().tolist()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [inf, inf, inf, inf]")
sys.exit(int(str(y) != "[inf, inf, inf, inf]"))
