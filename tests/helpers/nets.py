"""Networks whose layers are in the catalogues but not in torchvision, written from their papers."""

from __future__ import annotations

import torch
from torch import nn


class DilatedUNet(nn.Module):
    """U-Net (Ronneberger 2015) with padding, three levels and a bottleneck of successive dilations 1 to 32."""

    def __init__(self):
        super().__init__()
        self.down1, self.down2, self.down3 = twice(1, 64), twice(64, 128), twice(128, 256)
        self.bottleneck = nn.ModuleList(
            nn.Conv2d(256 if d == 1 else 512, 512, 3, padding=d, dilation=d) for d in (1, 2, 4, 8, 16, 32)
        )
        self.raise3, self.raise2, self.raise1 = (nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in (256, 128, 64))
        self.up3, self.up2, self.up1 = twice(512, 256), twice(256, 128), twice(128, 64)
        self.last = nn.Conv2d(64, 2, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        one = self.down1(x)
        two = self.down2(self.pool(one))
        three = self.down3(self.pool(two))
        x = self.pool(three)
        for layer in self.bottleneck:
            x = layer(x)
        x = self.up3(torch.cat([three, self.raise3(x)], 1))
        x = self.up2(torch.cat([two, self.raise2(x)], 1))
        return self.last(self.up1(torch.cat([one, self.raise1(x)], 1)))


def twice(inside: int, outside: int) -> nn.Sequential:
    """Return two convolutions of 3x3."""
    return nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1), nn.Conv2d(outside, outside, 3, padding=1))


class WaveNet(nn.Module):
    """One block of dilations 1 to 512 of WaveNet (van den Oord 2016), sizes of nv-wavenet: 64 residual, 256 skip channels."""

    def __init__(self):
        super().__init__()
        dilations = [2**n for n in range(10)]
        self.front = nn.Conv1d(256, 64, 2)
        self.gated = nn.ModuleList(nn.Conv1d(64, 128, 2, dilation=d) for d in dilations)
        self.residual = nn.ModuleList(nn.Conv1d(64, 64, 1) for _ in dilations)
        self.skip = nn.ModuleList(nn.Conv1d(64, 256, 1) for _ in dilations)
        self.out = nn.Conv1d(256, 256, 1)

    def forward(self, x):
        x, total = self.front(causal(x, 1)), 0
        for gated, residual, skip in zip(self.gated, self.residual, self.skip, strict=True):
            one, two = gated(causal(x, gated.dilation[0])).chunk(2, dim=1)
            both = one.tanh() * two.sigmoid()
            x, total = x + residual(both), total + skip(both)
        return self.out(total)


def causal(x: torch.Tensor, dilation: int) -> torch.Tensor:
    """Return x with as many zeros before it as a kernel of two taps needs."""
    return nn.functional.pad(x, (dilation, 0))


class C3D(nn.Module):
    """C3D (Tran 2015): eight convolutions of 3x3x3, pooled by two between, in time from the second pooling on."""

    def __init__(self):
        super().__init__()
        widths = {"1a": (3, 64), "2a": (64, 128), "3a": (128, 256), "3b": (256, 256)}
        widths |= {"4a": (256, 512), "4b": (512, 512), "5a": (512, 512), "5b": (512, 512)}
        for name, (inside, outside) in widths.items():
            setattr(self, f"conv{name}", nn.Conv3d(inside, outside, 3, padding=1))

    def forward(self, x):
        pool = nn.functional.max_pool3d
        x = pool(self.conv1a(x), (1, 2, 2))
        x = pool(self.conv2a(x), 2)
        x = pool(self.conv3b(self.conv3a(x)), 2)
        x = pool(self.conv4b(self.conv4a(x)), 2)
        return self.conv5b(self.conv5a(x))


# catalogue -> (model, shape of its input)
OURS = {
    "unet-dilated": (DilatedUNet, (1, 1, 256, 256)),
    "wavenet": (WaveNet, (1, 256, 16000)),
    "c3d": (C3D, (1, 3, 16, 112, 112)),
}
TORCHVISION = {
    "resnet50": ("resnet50", (1, 3, 224, 224)),
    "mobilenet-v2": ("mobilenet_v2", (1, 3, 224, 224)),
    "convnext-tiny": ("convnext_tiny", (1, 3, 224, 224)),
    "r2plus1d-18": ("video.r2plus1d_18", (1, 3, 16, 112, 112)),
}
