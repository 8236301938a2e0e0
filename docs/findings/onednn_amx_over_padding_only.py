"""A bfloat16 convolution that AMX does dies of SIGSEGV if on its first axis all taps lie over padding.

Seen in torch 2.13.0 (oneDNN 3.12) on a processor with AMX, with ONEDNN_MAX_CPU_ISA at AVX512_CORE_AMX or not set. One row, and a
kernel of two rows two apart with padding 1: one lies above the row and one below it, so that all results are zero.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("torch") is None:
    print("cannot be run: torch is not installed")
    sys.exit(77)
cpu = Path("/proc/cpuinfo")
if not cpu.exists() or "amx_bf16" not in cpu.read_text():
    print("cannot be run: the processor is not known to have amx_bf16")
    sys.exit(77)

CALL = """
import torch

torch.set_num_threads(1)
x, w = torch.ones(2, 1, 1, 4).bfloat16(), torch.ones(11, 1, 2, 2).bfloat16()
y = torch.conv2d(x, w, None, 1, (1, 3), (2, 3))
print(tuple(y.shape), y.unique().tolist())
"""

done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=False)
said = done.stdout.strip() or f"the process ended with {done.returncode}"

print(said)
print("it should be (2, 11, 1, 7) [0.0]")
sys.exit(int(said != "(2, 11, 1, 7) [0.0]"))
