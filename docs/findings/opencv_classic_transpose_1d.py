"""OpenCV's ConvTranspose of one axis is computed as if it had two.

Seen in opencv 4.8 to 5.0, with the classic engine: garbage, or memory overwritten. Four channels of eight ones and a kernel
of three ones.
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
main (float[1,4,8] x) => (float[1,1,10] y)
<float[4,1,3] w = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}> {
    y = ConvTranspose <kernel_shape = [3], strides = [1], dilations = [1]> (x, w)
}"""

x = np.ones((1, 4, 8), np.float32)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
try:
    y = net.forward().ravel().tolist()
except cv2.error as error:
    y = str(error).strip()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [4.0, 8.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 8.0, 4.0]")
sys.exit(int(y != [4.0, 8.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 8.0, 4.0]))
