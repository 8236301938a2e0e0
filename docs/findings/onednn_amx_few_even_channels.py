"""A bfloat16 convolution of 8 channels with a kernel of 8 x 8 is wrong at every call, if AMX does it.

Seen in torch 2.13.0 (oneDNN 3.12) on a processor with AMX, with ONEDNN_MAX_CPU_ISA at AVX512_CORE_AMX or not set: where a group
has an even number of input channels below 16, and channels times taps of a row are 64, 96, 128 and so on. The input is the
number of its column, in one channel of eight; the kernel adds up a row of 8, so that the results are 28, 36, 44, 52 and 60.
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

x, w = torch.zeros(2, 8, 12, 12).bfloat16(), torch.zeros(4, 8, 8, 8).bfloat16()
x[:, 0] = torch.arange(12)
w[:, 0, 0] = 1

y = torch.conv2d(x, w)[0, 0, 0].tolist()

print(f"torch {torch.__version__}: a row of the result is {y}")
print("it should be [28.0, 36.0, 44.0, 52.0, 60.0]")
sys.exit(int(y != [28, 36, 44, 52, 60]))
