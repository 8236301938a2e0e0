"""Held to SSE4.2, XLA cannot compile a float16 convolution: its JIT lacks the conversions that LLVM calls without F16C.

Seen in jax 0.10.2 with XLA_FLAGS=--xla_cpu_max_isa=SSE4_2: "INTERNAL: Failed to materialize symbols".
"""

import os
import sys

os.environ["XLA_FLAGS"] = "--xla_cpu_max_isa=SSE4_2"

try:
    import jax
    import jax.numpy as jnp
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

jax.config.update("jax_platforms", "cpu")
one = jnp.ones((1, 1, 1), jnp.float16)
try:
    got = jax.jit(lambda x, w: jax.lax.conv_general_dilated(x, w, (1,), [(0, 0)]))(one, one)
except Exception as error:
    print(f"jax {jax.__version__}: {type(error).__name__}: {str(error).splitlines()[0]}")
    print("it should be 1.0")
    sys.exit(1)
print(f"jax {jax.__version__}: {float(got[0, 0, 0])}")
print("it should be 1.0")
sys.exit(int(float(got[0, 0, 0]) != 1))
