"""The bfloat16 input gradient of a conv3d that AMX does leaves frames unwritten that the kernel does not reach.

Seen in torch 2.13.0 (oneDNN 3.12) on a processor with AMX, with ONEDNN_MAX_CPU_ISA at AVX512_CORE_AMX or not set. Of 8 frames a
kernel of 3 with a stride of 2 reaches 7; the gradient of the last is zero. What comes back is what some memory held before.
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

torch.set_num_threads(1)
shape = (2, 2, 8, 9, 20)
w, gy = torch.ones(3, 2, 3, 1, 3).bfloat16(), torch.ones(2, 3, 3, 9, 9).bfloat16()
found = set()
for _ in range(50):
    found |= set(torch.nn.grad.conv3d_input(shape, w, gy, stride=(2, 1, 2))[:, :, 7].unique().tolist())

print(f"torch {torch.__version__}: the gradient of the last frame has {sorted(found)[:5]}")
print("it should be [0.0]")
sys.exit(int(found != {0.0}))
