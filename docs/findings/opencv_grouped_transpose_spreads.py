"""OpenCV's ConvTranspose of several groups lets an Inf or NaN of one group into the results of all.

Seen in opencv 5.0, with its newer engine: a group's image is multiplied by zeros in place of the other groups' weights.
Here two channels are two groups, multiplied by 1.
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
main (float[1,2,1,1] x) => (float[1,2,1,1] y)
<float[2,1,1,1] w = {1, 1}> {
    y = ConvTranspose <kernel_shape = [1, 1], strides = [1, 1], dilations = [1, 1], group = 2> (x, w)
}"""

x = np.array([np.inf, 1], np.float32).reshape(1, 2, 1, 1)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
y = net.forward().ravel().tolist()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [inf, 1.0]")
sys.exit(int(str(y) != "[inf, 1.0]"))
