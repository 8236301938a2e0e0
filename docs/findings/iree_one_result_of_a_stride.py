"""IREE does not compile a strided convolution with one result and input left over: three elements, two taps, stride 2.

Seen with iree-base-compiler 3.13.0, target llvm-cpu.
"""

import sys

try:
    from iree.compiler import CompilerToolError, compile_str
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

MODULE = """
func.func @conv(%x: tensor<1x1x{n}xf32>, %w: tensor<1x1x2xf32>) -> tensor<1x1x1xf32> {{
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<1x1x1xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x1x1xf32>) -> tensor<1x1x1xf32>
  %y = linalg.conv_1d_ncw_fcw {{strides = dense<2> : tensor<1xi64>, dilations = dense<1> : tensor<1xi64>}}
       ins(%x, %w : tensor<1x1x{n}xf32>, tensor<1x1x2xf32>) outs(%zeros : tensor<1x1x1xf32>) -> tensor<1x1x1xf32>
  return %y : tensor<1x1x1xf32>
}}
"""


def compiles(n: int) -> bool:
    """Whether a convolution of n elements by two taps is compiled."""
    try:
        return bool(compile_str(MODULE.format(n=n), target_backends=["llvm-cpu"], extra_args=["--iree-llvmcpu-target-cpu=host"]))
    except CompilerToolError as error:
        print(next(line for line in str(error).splitlines() if "error:" in line))
        return False


exact, left_over = compiles(2), compiles(3)
print(f"two elements are compiled: {exact}; three: {left_over}; they should both be, and have one result")
sys.exit(int(exact and not left_over))
