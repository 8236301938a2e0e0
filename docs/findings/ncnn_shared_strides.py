"""ncnn.Mat takes a view of a NumPy array without looking at its strides.

Seen in ncnn 1.0.20261020: other elements, and memory outside of the array, are read, and nothing says so.
Upstream: Tencent/ncnn#3082.
"""

import sys

try:
    import ncnn
    import numpy as np
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

x = np.arange(1, 9, dtype=np.float32)[::2].reshape(1, 1, 4)

got = np.array(ncnn.Mat(x)).ravel().tolist()

print(f"ncnn {ncnn.__version__}: {got}")
print(f"it should be {x.ravel().tolist()}")
sys.exit(int(got != x.ravel().tolist()))
