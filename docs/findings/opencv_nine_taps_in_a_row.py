"""OpenCV's Conv with nine taps along one axis, and two channels or more, gives wrong numbers.

Seen in opencv 5.0, with its newer engine: 9, 1x9 and 9x1 are wrong, 1x8 and 1x10 are right; it seems to be taken for 3x3.
Two channels of one image of nine numbers, the kernel as long as the image: one result.
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
main (float[1,2,1,9] x) => (float[1,1,1,1] y)
<float[1,2,1,9] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}> {
    y = Conv <kernel_shape = [1, 9], strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0]> (x, w)
}"""

x = np.arange(18, dtype=np.float32).reshape(1, 2, 1, 9)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(x)
y = float(net.forward().ravel()[0])
right = float(x.ravel() @ np.tile(np.arange(1, 10), 2))

print(f"opencv {cv2.__version__}: {y}")
print(f"it should be {right}")
sys.exit(int(y != right))
