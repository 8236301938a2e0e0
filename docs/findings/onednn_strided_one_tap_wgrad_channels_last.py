"""oneDNN's weight gradient of strided 1 x 1 convolutions on channels_last memory writes outside of its workspace.

Seen in torch 2.13 on processors with AVX2 and without AVX-512, where there are fewer input channels than a block of 8 has:
'double free', wrong numbers or a hang. ONEDNN_MAX_CPU_ISA=AVX2, set here for a child process, shows it on any processor
with AVX2. Upstream: uxlfoundation/oneDNN#6035.
"""

import os
import subprocess
import sys
from pathlib import Path

try:
    import torch
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

CALLS = """
import torch
x = torch.ones(2, 4, 8, 8).to(memory_format=torch.channels_last)
gy = torch.ones(2, 8, 4, 4).to(memory_format=torch.channels_last)
right = sum(bool((torch.nn.grad.conv2d_weight(x, (8, 4, 1, 1), gy, stride=2) == 32).all()) for _ in range(50))
print(f"{right} of 50 answers are right")
"""
cpu = Path("/proc/cpuinfo")
if not cpu.exists() or "avx2" not in cpu.read_text():
    print("cannot be run: the processor is not known to have avx2")
    sys.exit(77)


try:
    variables = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    child = subprocess.run([sys.executable, "-c", CALLS], env=variables, check=False, capture_output=True, text=True, timeout=60)
    came = child.stdout.strip() if child.returncode == 0 else f"the process ends with {child.returncode}"
except subprocess.TimeoutExpired:
    came = "the process hangs"

print(f"torch {torch.__version__}: {came}")
print("it should be: 50 of 50 answers are right")
sys.exit(int(came != "50 of 50 answers are right"))
