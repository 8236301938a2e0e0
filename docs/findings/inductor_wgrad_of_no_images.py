"""torch.compile raises for the weight gradient of a convolution of no images, which eager mode answers with zeros.

Seen in torch 2.13 with Inductor on the CPU, which needs a C++ compiler: the strides that convolution_backward's meta kernel
foretells are not those of the result, and the compiled code asserts them.
"""

import shutil
import sys

try:
    import torch
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

if not any(map(shutil.which, ("g++", "clang++", "c++"))):
    print("cannot be run: there is no C++ compiler")
    sys.exit(77)

got = {}
for name, convolution in (("eager", torch.conv2d), ("compiled", torch.compile(torch.conv2d))):
    w = torch.ones(1, 2, 1, 2, requires_grad=True)
    try:
        got[name] = torch.autograd.grad(convolution(torch.ones(0, 2, 1, 2), w).sum(), w)[0].flatten().tolist()
    except AssertionError as error:
        got[name] = f"AssertionError: {str(error).splitlines()[0]}"

print(f"torch {torch.__version__}: {got}")
print("it should be [0.0, 0.0, 0.0, 0.0] for both")
sys.exit(int(got["compiled"] != got["eager"]))
