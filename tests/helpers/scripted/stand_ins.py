"""Stand-ins for the convolutions of torch and of scipy.signal, of the tests' own.

What an adapter of ours asks its library for, and what it makes of the answer, is tested with these in the library's place: in
the test's own process, and right on any processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from scripted import functions

NAMES = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def correlate(image: np.ndarray, kernel: np.ndarray, mode: str, method: str) -> np.ndarray:
    """The sums of products where the kernel lies within the image; by `fft`, as a product of transforms in the dtype given."""
    assert mode == "valid"
    axes = tuple(range(image.ndim))
    places = tuple(slice(n - r + 1) for n, r in zip(image.shape, kernel.shape, strict=True))
    if method == "fft":
        spectrum = np.fft.rfftn(image, axes=axes) * np.fft.rfftn(kernel, image.shape, axes=axes).conj()
        return np.fft.irfftn(spectrum, image.shape, axes=axes)[places].astype(image.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(image.astype(float), kernel.shape)
    return np.tensordot(windows, kernel.astype(float), kernel.ndim).astype(image.dtype)


def correlate2d(image: np.ndarray, kernel: np.ndarray, mode: str) -> np.ndarray:
    return correlate(image, kernel, mode, "direct")


def stand_ins() -> Iterator[tuple[Any, str, Callable]]:
    """(module, name, what stands in there)."""
    import torch
    from scipy import signal

    for name in NAMES:
        yield torch.nn.functional, name, getattr(functions, name)
        yield torch, name, getattr(functions, name)
    yield signal, "correlate", correlate
    yield signal, "correlate2d", correlate2d
