"""TensorFlow's bfloat16 weight gradient leaves the elements of taps that lie over padding only unwritten.

Seen in tensorflow-cpu 2.21 on a processor with AVX512_BF16; oneDNN's convolution does the same in torch. An image of
2x1 and a kernel of 3x4 with SAME and strides of 2: only two taps ever see the image, the gradients of the others
are 0. What was in the memory before comes back instead.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
try:
    import tensorflow as tf
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

cpu = Path("/proc/cpuinfo")
if not cpu.exists() or "avx512_bf16" not in cpu.read_text():
    print("cannot be run: the processor is not known to have avx512_bf16")
    sys.exit(77)

x = tf.ones((1, 2, 1, 2), tf.bfloat16)
gy = tf.ones((1, 1, 1, 4), tf.bfloat16)
wrong = []
for _ in range(200):
    words = {"filter_sizes": (3, 4, 1, 4), "strides": [1, 2, 2, 1], "padding": "SAME"}
    gw = tf.cast(tf.raw_ops.Conv2DBackpropFilter(input=x, out_backprop=gy, **words), tf.float32).numpy()
    unseen = gw.copy()
    unseen[0:2, 1] = 0  # the two taps that see the image
    if unseen.any():
        wrong.append(float(unseen[unseen != 0][0]))

print(f"tensorflow {tf.__version__}: in {len(wrong)} of 200 calls, gradients of unseen taps are not 0, as {wrong[-3:]}")
print("it should be 0 of 200")
sys.exit(int(len(wrong) > 0))
