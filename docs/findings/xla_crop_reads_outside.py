"""XLA's convolution by Eigen takes a negative low padding for none and reads outside of the image.

Seen in jax 0.10.2 on the CPU, in one and two dimensions and float32, float16 and bfloat16. The input gradient of a
convolution whose low padding is the kernel's reach or more is a convolution with a negative padding. Here the image has
one row of two numbers, which only the second row of the kernel meets: each gradient is 3 + 4 + 7 + 8.
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
x = np.zeros((2, 1, 1, 2), np.float32)
w = np.arange(1, 9, dtype=np.float32).reshape(2, 1, 2, 2)
y, gradient = jax.vjp(lambda x: lax.conv_general_dilated(x, w, (1, 1), [(2, 0), (1, 1)]), x)

(gx,) = gradient(np.ones(y.shape, np.float32))

print(f"jax {jax.__version__}: {gx.ravel()}")
print("it should be [22. 22. 22. 22.]")
sys.exit(int(not (gx == 22).all()))
