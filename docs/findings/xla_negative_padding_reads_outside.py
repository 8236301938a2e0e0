"""XLA's convolution by Eigen takes a negative low padding for none and reads outside of the image.

Seen in jax 0.10.2 on the CPU, in one and two dimensions and float32, float16 and bfloat16. A negative padding crops. Here
the image is cropped by two at the low ends and padded by two at the high ends: of its 5 x 5 ones, 3 x 3 remain.
Upstream: openxla/xla#48713.
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
x = np.ones((1, 1, 5, 5), np.float32)
w = np.ones((1, 1, 3, 3), np.float32)
right = np.array([[9, 6, 3], [6, 4, 2], [3, 2, 1]], np.float32)

convolution = jax.jit(lambda x: lax.conv_general_dilated(x, w, (1, 1), [(-2, 2), (-2, 2)]))
wrong = [y for y in (np.asarray(convolution(x))[0, 0] for _ in range(20)) if not np.array_equal(y, right)]

print(f"jax {jax.__version__}: {len(wrong)} of 20 calls are wrong: {wrong[0].tolist() if wrong else ''}")
print(f"it should be {right.tolist()}")
sys.exit(int(len(wrong) > 0))
