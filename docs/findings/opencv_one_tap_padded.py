"""OpenCV's Conv with a kernel of one tap and padding reads outside of the image where the padding is.

Seen in opencv 5.0, with its newer engine: garbage comes out. Two channels of nine ones, padded by one on both sides.
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
main (float[1,2,9] x) => (float[1,1,11] y)
<float[1,2,1] w = {1, 1}> {
    y = Conv <kernel_shape = [1], strides = [1], dilations = [1], pads = [1, 1]> (x, w)
}"""

x = np.ones((1, 2, 9), np.float32)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
y = net.forward().ravel().tolist()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [0.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.0]")
sys.exit(int(y != [0.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.0]))
