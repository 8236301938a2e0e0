"""TensorFlow's conv2d of one tap with a stride and a dilation, followed by its bias in a tf.function, dies of SIGSEGV.

Seen in tensorflow-cpu 2.21 with two images and more, in float32. With one image, without the dilation, without the bias, or with
TF_ENABLE_ONEDNN_OPTS=0 it is right.
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

CALL = """
import tensorflow as tf

@tf.function
def layer(x, w, b):
    padding = [[0, 0], [0, 0], [1, 1], [0, 0]]
    return tf.nn.bias_add(tf.nn.conv2d(x, w, [1, 1, 2, 1], padding, dilations=[1, 1, 2, 1]), b)

print(layer(tf.ones((2, 1, 1, 1)), tf.ones((1, 1, 1, 1)), tf.ones(1)).numpy().ravel().tolist())
"""
child = subprocess.run([sys.executable, "-c", CALL], check=False, capture_output=True, text=True, timeout=120)
came = child.stdout.strip() if child.returncode == 0 else f"the process ends with {child.returncode}"

print(f"tensorflow {tf.__version__}: {came}")
print("it should be [1.0, 1.0, 1.0, 1.0]")
sys.exit(int(came != "[1.0, 1.0, 1.0, 1.0]"))
