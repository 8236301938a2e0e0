"""JAX's gradient of a broadcast sum (y + b) adds up in the half type itself, so that a bias gradient stops growing.

Seen in jax 0.10.2, for bfloat16 and float16. Here 80 x 80 results share one bias; jnp.sum of as many ones is right.
"""

import sys

try:
    import jax
    import jax.numpy as jnp
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

jax.config.update("jax_platforms", "cpu")
y = jnp.zeros((80, 80), jnp.bfloat16)

gradient = float(jax.grad(lambda b: (y + b).sum())(jnp.zeros((), jnp.bfloat16)))

print(f"jax {jax.__version__}: {gradient}; jnp.sum of 6400 ones is {jnp.ones_like(y).sum()}")
print("it should be 6400.0")
sys.exit(int(gradient != 6400))
