"""With oneDNN off, PyTorch hands float32 batches of 16 and more to NNPACK, and one NaN spreads over the result.

Seen in torch 2.13. NNPACK's FFT and Winograd kernels are of another error class, flush subnormals and spread NaN and
Inf to results that their number has no part in; nothing says so to the caller. Here the NaN is in one corner of one
image, and a 3 x 3 kernel with padding 1 carries it to 4 results of each of 4 channels.
Upstream: pytorch/pytorch#157237.
"""

import sys

try:
    import torch
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

torch.backends.mkldnn.enabled = False
w = torch.ones(4, 4, 3, 3)
counts = {}
for batch in (15, 16):
    x = torch.ones(batch, 4, 8, 8)
    x[0, 0, 0, 0] = float("nan")
    counts[batch] = int(torch.conv2d(x, w, padding=1).isnan().sum())

print(f"torch {torch.__version__}: NaNs in the result, by the number of images: {counts}")
print("it should be {15: 16, 16: 16}")
sys.exit(int(counts != {15: 16, 16: 16}))
