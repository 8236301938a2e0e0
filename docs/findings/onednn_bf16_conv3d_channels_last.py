"""oneDNN's bfloat16 conv3d on channels_last memory gives zeros or stale numbers.

Seen in torch 2.13 on a processor with AVX512_BF16, where a group has one input channel and the padding on the first axis
leaves a slice of the kernel over padding only. Here an image of one 3 x 3 slice, a kernel of two slices and one slice of
padding on both sides, all ones: each of the two results sees the nine numbers once.
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

x = torch.ones(1, 1, 1, 3, 3, dtype=torch.bfloat16).to(memory_format=torch.channels_last_3d)
w = torch.ones(1, 1, 2, 3, 3, dtype=torch.bfloat16).to(memory_format=torch.channels_last_3d)

y = torch.conv3d(x, w, padding=(1, 0, 0)).flatten().tolist()

print(f"torch {torch.__version__}: {y}")
print("it should be [9.0, 9.0]")
sys.exit(int(y != [9, 9]))
