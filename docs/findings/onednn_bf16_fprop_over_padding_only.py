"""A bfloat16 convolution on channels_last memory whose taps all lie over padding dies of SIGSEGV.

Seen in torch 2.13.0 (oneDNN 3.12) on a processor with AVX512_BF16. One pixel, a kernel of two taps two apart, stride 2 and
padding 3: no position of the kernel lays a tap over the pixel, so that the three results are zero.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("torch") is None:
    print("cannot be run: torch is not installed")
    sys.exit(77)
if "avx512_bf16" not in Path("/proc/cpuinfo").read_text():
    print("cannot be run: the processor has no AVX512_BF16")
    sys.exit(77)

CALL = """
import torch

torch.set_num_threads(1)
x = torch.ones(1, 1, 1, 1).bfloat16().contiguous(memory_format=torch.channels_last)
w = torch.ones(2).bfloat16().as_strided((1, 1, 1, 2), (2, 1, 2, 1))  # channels_last
for _ in range(3000):
    y = torch.nn.functional.conv2d(x, w, None, (1, 2), (0, 3), (1, 2))
print(y.flatten().tolist())
"""

done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=False)
said = done.stdout.strip() or f"the process ended with {done.returncode}"

print(said)
print("it should be [0.0, 0.0, 0.0]")
sys.exit(int(said != "[0.0, 0.0, 0.0]"))
