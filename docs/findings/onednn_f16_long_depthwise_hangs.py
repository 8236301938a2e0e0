"""A float16 depthwise convolution of 15 taps or more, with 31 results or more in a row, never returns.

Seen in torch 2.13.0 (oneDNN 3.12) on a processor with AVX512_FP16, with ONEDNN_MAX_CPU_ISA at AVX512_CORE_FP16 and above. oneDNN
goes on writing the kernel (jit_brdgmm_kernel_base_t::brdgmm_microkernel); after 9 minutes it was still at it. With 44 elements
(30 results), 14 taps, or 17 channels it returns.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("torch") is None:
    print("cannot be run: torch is not installed")
    sys.exit(77)
cpu = Path("/proc/cpuinfo")
if not cpu.exists() or "avx512_fp16" not in cpu.read_text():
    print("cannot be run: the processor is not known to have avx512_fp16")
    sys.exit(77)

LIMIT = 30  # seconds; torch is imported in a few, and a call takes less than a millisecond
CALL = """
import torch

torch.set_num_threads(1)
for n in (44, 45):
    y = torch.conv1d(torch.ones(1, 2, n).half(), torch.ones(2, 1, 15).half(), groups=2)
    print(y.shape[-1], y.unique().tolist(), end=" ", flush=True)
"""

try:
    said = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=False, timeout=LIMIT).stdout.strip()
except subprocess.TimeoutExpired as late:
    said = f"{(late.stdout or b'').decode().strip()} and then nothing for {LIMIT} seconds"

print(said)
print("it should be 30 [15.0] 31 [15.0]")
sys.exit(int(said != "30 [15.0] 31 [15.0]"))
