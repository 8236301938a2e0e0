"""oneDNN's convolutions on channels_last memory reach outside of their arrays if an axis of one tap has a dilation.

Seen in torch 2.13 with AVX-512 and, in float32, with AVX2 (ONEDNN_MAX_CPU_ISA=AVX2); not with AVX or SSE4.1. A dilation
means nothing to a single tap. Yet in forward convolutions and weight gradients of float32 and bfloat16 stale numbers come
out now and then, and SIGSEGV. Shown here is the case that is wrong at every call, for which the processor must have
AVX512_BF16: the weight gradient of two groups, whose 62 products are all 1.
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


x = torch.ones(1, 2, 2, 31, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
got = {d: torch.nn.grad.conv2d_weight(x, (2, 1, 1, 1), x, dilation=(d, 1), groups=2).flatten().tolist() for d in (1, 2)}

print(f"torch {torch.__version__}: the weight gradients, by the dilation, are {got}")
print("they should be [62.0, 62.0] for both")
sys.exit(int(got[1] == [62, 62] != got[2]))
