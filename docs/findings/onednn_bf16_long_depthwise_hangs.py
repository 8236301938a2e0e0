"""A bfloat16 depthwise convolution on channels_last memory of 15 taps or more, with 31 results or more in a row, never returns.

Seen in torch 2.13.0 (oneDNN 3.12) on a processor with AVX512_BF16, with ONEDNN_MAX_CPU_ISA at AVX512_CORE_BF16 and above. oneDNN
goes on writing the kernel, as it does for float16 on contiguous memory. With 44 elements (30 results) it returns.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("torch") is None:
    print("cannot be run: torch is not installed")
    sys.exit(77)
cpu = Path("/proc/cpuinfo")
if not cpu.exists() or "avx512_bf16" not in cpu.read_text():
    print("cannot be run: the processor is not known to have avx512_bf16")
    sys.exit(77)

LIMIT = 30  # seconds; torch is imported in a few, and a call takes less than a millisecond
CALL = """
import torch

torch.set_num_threads(1)
w = torch.ones(2, 1, 1, 15).bfloat16().contiguous(memory_format=torch.channels_last)
for n in (44, 45):
    x = torch.ones(2, 2, 1, n).bfloat16().contiguous(memory_format=torch.channels_last)
    y = torch.conv2d(x, w, groups=2)
    print(y.shape[-1], y.unique().tolist(), end=" ", flush=True)
"""

try:
    said = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=False, timeout=LIMIT).stdout.strip()
except subprocess.TimeoutExpired as late:
    said = f"{(late.stdout or b'').decode().strip()} and then nothing for {LIMIT} seconds"

print(said)
print("it should be 30 [15.0] 31 [15.0]")
sys.exit(int(said != "30 [15.0] 31 [15.0]"))
