"""XLA on the CPU aborts the process while it compiles some second derivatives of convolutions.

Seen in jax 0.10.2: the same 'Window dimensions do not match RHS shape' of algebraic_simplifier.cc as with input gradients of
strided convolutions. Here a dilated convolution's weight gradient is derived by the input, which is a convolution with a
dilated input.
"""

import subprocess
import sys

try:
    import jax
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

CALL = """
import jax
jax.config.update("jax_platforms", "cpu")

def weight_gradient_summed(x):
    convolution = lambda w: jax.lax.conv_general_dilated(x, w, (1, 1), [(4, 4), (1, 1)], rhs_dilation=(1, 2))
    y, gradient = jax.vjp(convolution, jax.numpy.ones((1, 1, 1, 4)))
    return gradient(jax.numpy.ones_like(y))[0].sum()

print(jax.jit(jax.grad(weight_gradient_summed))(jax.numpy.ones((1, 1, 1, 6))).ravel().tolist())
"""

child = subprocess.run([sys.executable, "-c", CALL], check=False, capture_output=True, text=True, timeout=300)

reason = next((line for line in child.stderr.splitlines() if "Check failed" in line), "")
print(f"jax {jax.__version__}: the child process ends with {child.returncode}: {child.stdout.strip()}{reason[-110:]}")
print("it should be 0: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]")
sys.exit(int(child.returncode < 0))
