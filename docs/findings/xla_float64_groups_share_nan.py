"""XLA on the CPU lets a NaN of one group into the results of all groups, in float64.

Seen in jax 0.10.2. A grouped convolution of float64 (and its input gradient) becomes a dense one whose kernel is zero
between the groups: NaN and Inf times such a zero are NaN. Here two channels are two groups, multiplied by 1. In float32
the same call is right.
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
jax.config.update("jax_enable_x64", True)
x = np.array([np.nan, 5.0]).reshape(1, 2, 1)

y = lax.conv_general_dilated(x, np.ones((2, 1, 1)), (1,), "VALID", feature_group_count=2).ravel()

print(f"jax {jax.__version__}: {y}")
print("it should be [nan  5.]")
sys.exit(int(not np.array_equal(y, [np.nan, 5], equal_nan=True)))
