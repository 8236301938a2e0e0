"""XLA on the CPU lets a NaN of one group into the weight gradients of all groups.

Seen in jax 0.10.2, in every format, always where a group has one output channel and several input channels. The gradient
becomes a convolution with a dilated input, whose zeros meet the numbers of all groups. Here are three groups of two input
channels and one output, one number each; the output gradient of the first group is NaN.
"""

import sys

try:
    import jax
    import numpy as np
    from jax import lax
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

jax.config.update("jax_platforms", "cpu")
x = np.ones((1, 6, 1), np.float32)
gy = np.array([np.nan, 1, 1], np.float32).reshape(1, 3, 1)


def convolution(w):
    return lax.conv_general_dilated(x, w, (1,), "VALID", feature_group_count=3)


(gw,) = jax.vjp(convolution, np.ones((3, 2, 1), np.float32))[1](gy)

print(f"jax {jax.__version__}: {gw.ravel()}")
print("it should be [nan nan  1.  1.  1.  1.]")
sys.exit(int(not np.array_equal(gw.ravel(), [np.nan, np.nan, 1, 1, 1, 1], equal_nan=True)))
