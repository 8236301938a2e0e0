"""TensorFlow's convolutions by oneDNN give the result of no images the shape of the input.

Seen in tensorflow-cpu 2.21 in float32 and bfloat16, for conv1d, conv2d and conv3d. In float64, which goes to Eigen, and
with TF_ENABLE_ONEDNN_OPTS=0 the shape is right.
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
try:
    import tensorflow as tf
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

y = tf.nn.conv2d(tf.zeros((0, 5, 5, 1)), tf.zeros((3, 3, 1, 2)), 1, "VALID")

print(f"tensorflow {tf.__version__}: the result's shape is {tuple(y.shape)}")
print("it should be (0, 3, 3, 2)")
sys.exit(int(tuple(y.shape) != (0, 3, 3, 2)))
