"""ncnn's grouped convolutions read other channels if an ncnn.Mat shares the memory of a NumPy array.

Seen in ncnn 1.0.20261020. A layer takes its channels as if each began on a multiple of 16 bytes; on the memory of a NumPy
array they do not. Here six channels of one number are two groups, each of whose three numbers are added up; a Mat with
memory of its own (clone) gives the right answer.
"""

import sys
import tempfile
from pathlib import Path

try:
    import ncnn
    import numpy as np
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

net = ncnn.Net()
net.load_param_mem("7767517\n2 2\nInput x 0 1 x\nConvolutionDepthWise c 1 1 x y 0=2 1=1 6=6 7=2\n")
with tempfile.TemporaryDirectory() as folder:
    weights = Path(folder, "weights.bin")
    weights.write_bytes(bytes(4) + np.ones(6, np.float32).tobytes())
    net.load_model(str(weights))
x = np.array([1, 2, 3, 4, 5, 6], np.float32).reshape(6, 1, 1)
got = {}
for kind, mat in (("cloned", ncnn.Mat(x).clone()), ("shared", ncnn.Mat(x))):
    extractor = net.create_extractor()
    extractor.input("x", mat)
    got[kind] = np.array(extractor.extract("y")[1]).ravel().tolist()

print(f"ncnn {ncnn.__version__}: {got}")
print("it should be [6.0, 15.0] for both")
sys.exit(int(got["shared"] != [6, 15]))
