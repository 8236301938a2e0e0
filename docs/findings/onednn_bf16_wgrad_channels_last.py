"""oneDNN's bfloat16 weight gradient on channels_last memory is wrong where a group has few input channels.

Seen in torch 2.13 on a processor with AVX512_BF16, with 1, 2 and 4 input channels a group; other shapes corrupt memory
(SIGSEGV, SIGABRT with 'double free'). Here a depthwise conv3d of two channels, all ones: the middle tap of the three sees
both numbers of its channel, the outer ones see one. The second group is wrong at every call.
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

x = torch.ones(1, 2, 2, 1, 1, dtype=torch.bfloat16).to(memory_format=torch.channels_last_3d)

gw = torch.nn.grad.conv3d_weight(x, (2, 1, 3, 1, 1), x, padding=(1, 0, 0), groups=2).flatten().tolist()

print(f"torch {torch.__version__}: the weight gradient is {gw}")
print("it should be [1.0, 2.0, 1.0, 1.0, 2.0, 1.0]")
sys.exit(int(gw != [1, 2, 1, 1, 2, 1]))
