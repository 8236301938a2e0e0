"""OpenCV's ConvTranspose ignores output_shape: another shape than asked for comes back.

Seen in opencv 4.8 to 5.0. Four ones and a kernel of three make six numbers, of which an output_shape of 4 cuts one off at
both ends. Upstream: opencv/opencv#13989.
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
main (float[1,1,1,4] x) => (float[1,1,1,4] y)
<float[1,1,1,3] w = {1, 1, 1}> {
    y = ConvTranspose <kernel_shape = [1, 3], strides = [1, 1], dilations = [1, 1], output_shape = [1, 4]> (x, w)
}"""

x = np.ones((1, 1, 1, 4), np.float32)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
y = net.forward().ravel().tolist()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [2.0, 3.0, 3.0, 2.0]")
sys.exit(int(y != [2.0, 3.0, 3.0, 2.0]))
