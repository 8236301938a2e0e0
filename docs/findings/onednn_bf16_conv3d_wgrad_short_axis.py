"""oneDNN's bfloat16 weight gradient of conv3d is wrong where there are fewer frames than taps.

Seen in torch 2.13 on a processor with AVX512_BF16, where the first axis is shorter than the kernel and has more than one
result: with one thread at every call (contiguous memory from 16 channels on, channels_last with any number), with two threads
at every call with 64 and 256 channels, not with 16. Here two frames of 7 x 7 and a 3 x 3 x 3 kernel with padding 1, as in the
last layers of C3D. The numbers are small integers, whose sums float64 has exactly; rounding them to bfloat16 takes at most 1.
"""

import sys
from pathlib import Path

try:
    import torch
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

cpu = Path("/proc/cpuinfo")
if not cpu.exists() or "avx512_bf16" not in cpu.read_text():
    print("cannot be run: the processor is not known to have avx512_bf16")
    sys.exit(77)

torch.set_num_threads(1)
torch.manual_seed(0)
x, gy = (torch.randint(-4, 5, (1, 16, 2, 7, 7)) for _ in range(2))
exact = torch.nn.grad.conv3d_weight(x.double(), (16, 16, 3, 3, 3), gy.double(), padding=1)
found = torch.nn.grad.conv3d_weight(x.bfloat16(), (16, 16, 3, 3, 3), gy.bfloat16(), padding=1)
apart = (found.double() - exact).abs().amax((0, 1, 3, 4)).tolist()

print(f"torch {torch.__version__}: the kernel's slices are off by {apart}, their largest element is {exact.abs().max()}")
print("it should be at most 1 in each")
sys.exit(int(not max(apart) <= 1))
