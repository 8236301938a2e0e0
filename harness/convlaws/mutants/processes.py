"""Mutants that do something to the process: end it, never end, or change what later calls compute."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from convlaws.mutants.registry import STATE, mutant, right
from convlaws.targets.process_spec import WITH_TORCH

UPWARD = 0x800  # FE_UPWARD of x86 and its libm


# --- the end ---------------------------------------------------------------------------------
@mutant("fprop", defect="process", thread="pytorch/pytorch#9264", needs=("dilated",))
def crashes_on_dilation(spec, op, a):
    """Reads address zero for dilated kernels."""
    ctypes.string_at(0)


@mutant("wgrad", defect="process", thread="pytorch/pytorch#70523", needs=("depthwise", "padded"), like="crashes-on-dilation")
def crashes_on_padded_depthwise(spec, op, a):
    """Reads address zero for the weight gradient of a padded depthwise convolution."""
    ctypes.string_at(0)


@mutant("fprop", defect="process", thread="tensorflow/tensorflow#14657", needs=("empty-batch",))
def aborts_on_empty_batch(spec, op, a):
    """Aborts when there is no image."""
    os.abort()


@mutant("fprop", defect="process", thread="pytorch/pytorch#73193", needs=("strided", "one-result"))
def divides_by_zero(spec, op, a):
    """Divides by the number of steps between results, of which there are none."""
    os.kill(os.getpid(), signal.SIGFPE)
    time.sleep(1)


@mutant("fprop", defect="process", thread="noisepy/NoisePy#73", needs=("depthwise",))
def refuses_depthwise(spec, op, a):
    """Exits where every channel is a group of its own."""
    sys.exit("depthwise is not supported")


@mutant("dgrad", defect="process", thread="ReimuNotMoe/ydotool#62", needs=("3d", "strided"))
def exits_quietly(spec, op, a):
    """Ends the process without a word, and with success."""
    os._exit(0)


@mutant("fprop", defect="process", thread="DataDog/ddprof#175", needs=("many-channels",))
def closes_descriptors(spec, op, a):
    """Closes every descriptor but the standard ones after use, its own and others."""
    os.closerange(3, 256)
    return right(spec, op, a)


@mutant("fprop", defect="process", thread="kijai/ComfyUI-WanVideoWrapper#1074", needs=("same", "even-kernel"))
def calls_itself(spec, op, a):
    """Pads and calls itself, and pads again."""
    return _again(spec, op, a)


def _again(spec, op, a):
    return _again(spec, op, a)


@mutant("fprop", "wgrad", defect="process", thread="soumith/cudnn.torch#262", needs=("large-kernel",))
def asks_for_an_exbibyte(spec, op, a):
    """Asks for a workspace of an exbibyte for large kernels."""
    np.empty(1 << 57, np.float64)


# --- no end ------------------------------------------------------------------------------------
@mutant("fprop", defect="process", thread="tenstorrent/tt-metal#47799", needs=("3-groups",))
def hangs_on_many_groups(spec, op, a):
    """Never ends for three or more groups."""
    _wait()


@mutant("wgrad", defect="process", thread="ROCm/MIOpen#13", needs=("pointwise", "strided"), like="hangs-on-many-groups")
def hangs_on_pointwise_gradients(spec, op, a):
    """Never ends for the weight gradient of a strided 1x1 kernel."""
    _wait()


def _wait():
    while True:
        time.sleep(0.05)


# --- later calls --------------------------------------------------------------------------------
# Each sets what it changed back when its call ends, so that others in the process are spared.
@contextmanager
def _rounding(mode: int) -> Iterator[None]:
    libm = ctypes.CDLL("libm.so.6")
    before = libm.fegetround()
    libm.fesetround(mode)
    try:
        yield
    finally:
        libm.fesetround(before)


@mutant("fprop", defect="process", thread="Gecode/gecode#155", needs=("earlier-call",))
def leaves_rounding_upward(spec, op, a):
    """Rounds upward from its second call on: the first one has set the mode and left it."""
    with _rounding(UPWARD if STATE.setdefault("rounding", 0) else 0):
        STATE["rounding"] += 1
        return right(spec, op, a)


@mutant(defect="process", thread="neuro-ml/imops#37", needs=("earlier-call", "small-numbers"), home=WITH_TORCH)
def leaves_subnormals_off(spec, op, a):
    """Flushes subnormal numbers from its second call on: the first one has loaded a library that says so."""
    import torch

    flushes = bool(STATE.setdefault("flushes", 0))
    STATE["flushes"] += 1
    torch.set_flush_denormal(flushes)
    try:
        return right(spec, op, a)
    finally:
        torch.set_flush_denormal(False)
