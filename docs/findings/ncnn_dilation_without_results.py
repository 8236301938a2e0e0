"""ncnn's x86 Convolution without packed layouts dies of SIGSEGV where the result is smaller than the dilation.

Seen in ncnn 1.0.20261020. A dilated convolution of stride 1 is split into one for each phase of the dilation, and one of
these is empty. Here a 3 x 3 kernel of ones and dilation 2 sees a 5 x 5 image of ones once; the call runs in a child process.
"""

import subprocess
import sys

try:
    import ncnn
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

CALL = """
import os, tempfile
import ncnn
import numpy as np

net = ncnn.Net()
net.opt.use_packing_layout = False
net.load_param_mem("7767517\\n2 2\\nInput x 0 1 x\\nConvolution c 1 1 x y 0=1 1=3 2=2 6=9\\n")
with tempfile.TemporaryDirectory() as folder:
    weights = os.path.join(folder, "weights.bin")
    with open(weights, "wb") as file:
        file.write(bytes(4) + np.ones(9, np.float32).tobytes())
    net.load_model(weights)
extractor = net.create_extractor()
extractor.input("x", ncnn.Mat(np.ones((1, 5, 5), np.float32)).clone())
print(np.array(extractor.extract("y")[1]).ravel())
"""

child = subprocess.run([sys.executable, "-c", CALL], check=False, capture_output=True, text=True, timeout=60)

print(f"ncnn {ncnn.__version__}: the child process ends with {child.returncode}: {child.stdout.strip()}")
print("it should be 0: [9.]")
sys.exit(int(child.returncode < 0))
