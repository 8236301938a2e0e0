"""A bfloat16 conv2d with a kernel of one row and one strided result in each row gives wrong numbers.

Seen in tensorflow-cpu 2.21 on a processor with AVX512_BF16, for one input channel; float32, and bfloat16 with
TF_ENABLE_ONEDNN_OPTS=0, are right. The kernel 1 0 1 adds up the ends of the rows 1 2 3, 4 5 6 and 7 8 9.
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

x = tf.reshape(tf.constant([1.0, 2, 3, 4, 5, 6, 7, 8, 9], tf.bfloat16), (1, 3, 3, 1))
w = tf.reshape(tf.constant([1.0, 0, 1], tf.bfloat16), (1, 3, 1, 1))
y = tf.cast(tf.nn.conv2d(x, w, [1, 1, 2, 1], "VALID"), tf.float32).numpy().ravel().tolist()

print(f"tensorflow {tf.__version__}: the results are {y}")
print("it should be [4.0, 10.0, 16.0]")
sys.exit(int(y != [4.0, 10.0, 16.0]))
