"""In bfloat16, a NaN in one pixel makes NaN of the result of the pixel before it.

Seen in tensorflow-cpu 2.21 on a processor with AVX512_BF16, for an odd number of channels: oneDNN multiplies pairs of
numbers, and the partner of the last channel is the next pixel's first, times zero. With two channels it is right.
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

x = tf.reshape(tf.constant([1.0, float("nan"), 3, 4], tf.bfloat16), (1, 1, 4, 1))
y = tf.cast(tf.nn.conv2d(x, tf.ones((1, 1, 1, 1), tf.bfloat16), 1, "VALID"), tf.float32).numpy().ravel().tolist()

print(f"tensorflow {tf.__version__}: the results are {y}")
print("it should be [1.0, nan, 3.0, 4.0]")
sys.exit(int(y[0] != 1.0))
