"""A float16 convolution whose taps all lie over padding dies of SIGSEGV, on contiguous memory too.

Seen in torch 2.13.0 (oneDNN 3.12) on a processor with AVX512_FP16, with ONEDNN_MAX_CPU_ISA at AVX512_CORE_FP16 and above. One
element, a kernel of one tap, stride 2, dilation 2 (which means nothing to one tap) and padding 1: the kernel lies to the left
and to the right of the element, so that the two results of each channel are zero. With a dilation of 1 it returns.
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

CALL = """
import torch

torch.set_num_threads(1)
x, w = torch.ones(1, 2, 1).half(), torch.ones(2, 1, 1).half()
print(torch.conv1d(x, w, stride=2, padding=1, dilation=2, groups=2).flatten().tolist())
"""

done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=False)
said = done.stdout.strip() or f"the process ended with {done.returncode}"

print(said)
print("it should be [0.0, 0.0, 0.0, 0.0]")
sys.exit(int(said != "[0.0, 0.0, 0.0, 0.0]"))
