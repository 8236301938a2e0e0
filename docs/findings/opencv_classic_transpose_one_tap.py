"""OpenCV's ConvTranspose with a kernel of one tap and stride 1 does not crop its padding.

Seen in opencv 4.8 to 5.0, with the classic engine: values at wrong places, or memory overwritten and an abort. The padding of
one cuts a 3 x 3 image down to its middle.
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
main (float[1,1,3,3] x) => (float[1,1,1,1] y)
<float[1,1,1,1] w = {1}> {
    y = ConvTranspose <kernel_shape = [1, 1], strides = [1, 1], dilations = [1, 1], pads = [1, 1, 1, 1]> (x, w)
}"""

x = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
text = parse_model(MODEL).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
net.setInput(cv2.Mat(x))  # OpenCV 4 would take a third axis for colours
y = net.forward().ravel().tolist()

print(f"opencv {cv2.__version__}: {y}")
print("it should be [5.0]")
sys.stdout.flush()
os._exit(int(y != [5.0]))  # at once: the call may have corrupted the heap, and tidying up would abort
