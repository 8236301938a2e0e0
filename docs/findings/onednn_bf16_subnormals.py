"""oneDNN's bfloat16 convolutions flush subnormal numbers to zero, although nobody asked for that.

Seen in torch 2.13 on a processor with AVX512_BF16, whose instruction VDPBF16PS does so whatever the rounding mode
register says. One number times 1 should be that number: bfloat16 holds 9.2e-41 exactly.
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

x = torch.full((1, 1, 1), 2.0**-133, dtype=torch.bfloat16)  # the smallest number above 0

y = torch.conv1d(x, torch.ones_like(x)).item()

print(f"torch {torch.__version__}: {x.item()} * 1 = {y}")
print(f"it should be {x.item()}")
sys.exit(int(y != x.item()))
