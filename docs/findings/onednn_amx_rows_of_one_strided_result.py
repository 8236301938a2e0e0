"""A strided bfloat16 convolution with one result in each row is wrong in the rows after the first, if AMX does it.

Seen in torch 2.13.0 (oneDNN 3.12) on a processor with AMX, with ONEDNN_MAX_CPU_ISA at AVX512_CORE_AMX or not set. The kernel of
ones adds up 9 pixels of a channel, which are all the number of their row, from 1 to 7.
Upstream: pytorch/pytorch#169688, about conv3d.
"""

import sys
from pathlib import Path

try:
    import torch
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

cpu = Path("/proc/cpuinfo")
if not cpu.exists() or "amx_bf16" not in cpu.read_text():
    print("cannot be run: the processor is not known to have amx_bf16")
    sys.exit(77)

x = torch.arange(1, 8).view(1, 1, 7, 1).expand(2, 32, 7, 4).bfloat16()
w = torch.zeros(32, 32, 3, 3).bfloat16()
w[:, 0] = 1

y = torch.conv2d(x, w, stride=(1, 2))[0, 0].flatten().tolist()

print(f"torch {torch.__version__}: a column of the result is {y}")
print("it should be [18.0, 27.0, 36.0, 45.0, 54.0]")
sys.exit(int(y != [18, 27, 36, 45, 54]))
