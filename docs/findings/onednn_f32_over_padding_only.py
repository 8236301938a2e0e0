"""A float32 convolution on channels_last memory with a bias dies of SIGSEGV if its taps all lie over padding.

Seen in torch 2.13.0 (oneDNN 3.12), with ONEDNN_MAX_CPU_ISA at AVX2 and above. One pixel, a kernel of two taps two apart, stride 2
and padding 3: no position of the kernel lays a tap over the pixel, so that each of the three results is the bias. Without the
bias it returns.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("torch") is None:
    print("cannot be run: torch is not installed")
    sys.exit(77)
cpu = Path("/proc/cpuinfo")
if not cpu.exists() or "avx2" not in cpu.read_text():
    print("cannot be run: the processor is not known to have avx2")
    sys.exit(77)

CALL = """
import torch

torch.set_num_threads(1)
x = torch.ones(2, 4, 1, 1).contiguous(memory_format=torch.channels_last)
w = torch.ones(2, 2, 1, 2).contiguous(memory_format=torch.channels_last)
y = torch.conv2d(x, w, torch.ones(2), (1, 2), (0, 3), (1, 2), 2)
print(tuple(y.shape), y.unique().tolist())
"""

done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=False)
said = done.stdout.strip() or f"the process ended with {done.returncode}"

print(said)
print("it should be (2, 2, 1, 3) [1.0]")
sys.exit(int(said != "(2, 2, 1, 3) [1.0]"))
