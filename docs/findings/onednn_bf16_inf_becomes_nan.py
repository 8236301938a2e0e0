"""oneDNN's bfloat16 convolutions give NaN where Inf, or a finite number, should be.

Seen in torch 2.13 on a processor with AVX512_BF16, whose instruction VDPBF16PS multiplies pairs of channels. The one
channel here has no partner; a zero is put in its place, meets the Inf, and 0 * Inf is NaN.
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

inf = float("inf")
x = torch.tensor([[[1, inf]]], dtype=torch.bfloat16)
w = torch.tensor([[[1, 1]]], dtype=torch.bfloat16)

y = torch.conv1d(x, w).item()

print(f"torch {torch.__version__}: 1 * 1 + inf * 1 = {y}")
print("it should be inf")
sys.exit(int(y != inf))
