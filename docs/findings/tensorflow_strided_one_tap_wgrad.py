"""TensorFlow's weight gradient of a strided 1 x 1 convolution writes outside of its memory.

Seen in tensorflow-cpu 2.21 in float32 on a processor with AVX-512, with 8 input and 16 output channels on 16 x 16, as with 1
and 1 on 13 x 16: 'double free', 'corrupted double-linked list' or SIGSEGV, at once or in a later call. With
TF_ENABLE_ONEDNN_OPTS=0 it does not. The same defect in torch: onednn_strided_one_tap_wgrad_channels_last.
Upstream: uxlfoundation/oneDNN#6035.
"""

import os
import subprocess
import sys

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
try:
    import tensorflow as tf
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

CALLS = """
import tensorflow as tf
x, gy = tf.ones((1, 16, 16, 8)), tf.ones((1, 8, 8, 16))
wgrad = tf.raw_ops.Conv2DBackpropFilter
one = lambda: wgrad(input=x, filter_sizes=[1, 1, 8, 16], out_backprop=gy, strides=[1, 2, 2, 1], padding="VALID")
right = sum(bool(tf.reduce_all(one() == 64)) for _ in range(500))
print(f"{right} of 500 answers are right")
"""
child = subprocess.run([sys.executable, "-c", CALLS], check=False, capture_output=True, text=True, timeout=120)
came = child.stdout.strip() if child.returncode == 0 else f"the process ends with {child.returncode}"

print(f"tensorflow {tf.__version__}: {came}")
print("it should be: 500 of 500 answers are right")
sys.exit(int(came != "500 of 500 answers are right"))
