"""XLA on the CPU aborts the process while it compiles some convolutions with a dilated input.

Seen in jax 0.10.2: 'Check failed' in algebraic_simplifier.cc, 'Window dimensions do not match RHS shape'. It exchanges input
and kernel, and leaves the window of one axis as it was. Met by transposed convolutions and, as here, by the input gradient
of a convolution with a stride.
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
w = jax.numpy.ones((1, 1, 2, 4))
gradient = jax.grad(lambda x: jax.lax.conv_general_dilated(x, w, (2, 2), [(1, 1), (1, 1)]).sum())
print(gradient(jax.numpy.ones((1, 1, 4, 4)))[0, 0].tolist())
"""

child = subprocess.run([sys.executable, "-c", CALL], check=False, capture_output=True, text=True, timeout=300)

reason = next((line for line in child.stderr.splitlines() if "Check failed" in line), "")
print(f"jax {jax.__version__}: the child process ends with {child.returncode}: {child.stdout.strip()}{reason[-110:]}")
print("it should be 0: four times [1.0, 2.0, 2.0, 1.0]")
sys.exit(int(child.returncode < 0))
