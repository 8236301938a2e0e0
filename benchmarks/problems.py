"""The measured problems, from text catalogues, as {name: problem}. All are filled with normal numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from convlaws.problem.catalogues import catalogue, names
from convlaws.problem.files import read_problems

# two to four layers of different kinds of each network; none over 500 million multiply-adds
LAYERS = {
    "resnet50": ("conv1", "layer1.0.conv1", "layer1.0.conv2 x3", "layer2.0.conv2", "layer4.1.conv1 x2"),
    "mobilenet-v2": ("features.1.conv.0.0", "features.4.conv.1.0", "features.8.conv.1.0 x4"),
    "convnext-tiny": ("features.0.0", "features.3.0.block.0 x3", "features.4.1"),
    "unet-dilated": ("down1.0", "raise1", "last"),
    "wavenet": ("gated.1", "gated.9"),
    "r2plus1d-18": ("layer4.0.conv1.0.3", "layer4.1.conv1.0.0 x2"),
    "c3d": ("conv5a x2",),
}


def _own(name: str) -> dict[str, Any]:
    return dict(read_problems(Path(__file__).with_name(name)))


def _normal(found: dict[str, Any]) -> dict[str, Any]:
    """Return the same problems with normal numbers, whose sums are rounded: with integers every method would be exact."""
    return {name: replace(problem, fill="normal") for name, problem in found.items()}


def _layers() -> dict[str, Any]:
    found = {}
    for network, chosen in LAYERS.items():
        problems = dict(catalogue(network))
        found |= {f"{network} {layer}": problems[layer] for layer in chosen}
    return found


QUICK, KINDS = _own("quick.txt"), _own("kinds.txt")
CHOSEN = _normal(_layers())
SWEEPS = _normal({f"{name} {point}": p for name in names() if name.startswith("sweep-") for point, p in catalogue(name)})
TAILS = _normal(dict(catalogue("tails")))
