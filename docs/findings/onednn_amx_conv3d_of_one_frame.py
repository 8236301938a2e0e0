"""A bfloat16 conv3d that AMX does gives zeros or stale numbers where a channel alone has one frame and the kernel several.

Seen in torch 2.13.0 (oneDNN 3.12) on a processor with AMX, with ONEDNN_MAX_CPU_ISA at AVX512_CORE_AMX or not set, on contiguous
memory. One frame of ones under a kernel of 2 x 1 x 2 ones with a padding of 1 on the first axis: each result is 2.
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

x, w = torch.ones(2, 1, 1, 5, 3).bfloat16(), torch.ones(16, 1, 2, 1, 2).bfloat16()

y = torch.conv3d(x, w, padding=(1, 0, 0))

print(f"torch {torch.__version__}: the {y.numel()} results are {y.unique().tolist()}")
print("they should all be 2.0")
sys.exit(int(not bool((y == 2).all())))
