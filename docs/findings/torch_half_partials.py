"""PyTorch on the CPU keeps partial results of half-type convolutions in the half type instead of float32.

Seen in torch 2.13, in input gradients, weight gradients and transposed convolutions of bfloat16 and float16.
The one number of this gradient that both taps reach is 171 * 3 - 512 = 1, which bfloat16 holds exactly. But 513 alone
is rounded to 512 on the way, and 0 comes out. Upstream: pytorch/pytorch#68048, pytorch/pytorch#153700.
"""

import sys

try:
    import torch
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

torch.backends.mkldnn.enabled = False  # oneDNN sums in float32
gy = torch.tensor([[[171, -512]]], dtype=torch.bfloat16)
w = torch.tensor([[[1, 3]]], dtype=torch.bfloat16)

gx = torch.nn.grad.conv1d_input((1, 1, 3), w, gy)

print(f"torch {torch.__version__}: the input gradient is {gx.flatten().tolist()}")
print("it should be [171.0, 1.0, -1536.0]")
sys.exit(int(gx.flatten().tolist() != [171, 1, -1536]))
