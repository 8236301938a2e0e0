"""OpenCV's Conv with auto_pad SAME_UPPER and a dilation pads for the kernel without its holes.

Seen in opencv 4.8 to 5.0: a shifted result of the right shape. Three taps with dilation 2 span five numbers, so that there
are two zeros of padding on each side.
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
main (float[1,1,5] x) => (float[1,1,5] y)
<float[1,1,3] w = {1, 10, 100}> {
    y = Conv <kernel_shape = [3], strides = [1], dilations = [2], auto_pad = "SAME_UPPER"> (x, w)
}"""

x = np.array([1, 2, 3, 4, 5], np.float32).reshape(1, 1, 5)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
y = net.forward().ravel().tolist()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [310.0, 420.0, 531.0, 42.0, 53.0]")
sys.exit(int(y != [310.0, 420.0, 531.0, 42.0, 53.0]))
