"""OpenCV's Net.forward switches the processor to flush subnormal numbers to zero.

Seen in opencv 4.8 to 5.0; it is done on purpose. A number times 1 should be that number.
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
main (float[1,1,1] x) => (float[1,1,1] y)
<float[1,1,1] w = {1}> {
    y = Conv <kernel_shape = [1], strides = [1], dilations = [1]> (x, w)
}"""

x = np.full((1, 1, 1), 2.0**-140, np.float32)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
y = net.forward().ravel().tolist()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [2.0**-140]")
sys.exit(int(y != [2.0**-140]))
