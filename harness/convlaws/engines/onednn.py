"""Names of the oneDNN primitives that ran for a call of torch, from the verbose mode's lines on standard output."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from convlaws.engines import kernel_log

MARK = "onednn_verbose"


@contextmanager
def named() -> Iterator[None]:
    """Note the primitives that run within, if the call's kernel is wanted; else do nothing, as it costs a file per call."""
    if not kernel_log.wanted():
        yield
        return
    from torch.backends import mkldnn

    flush = ctypes.CDLL(None).fflush
    flush(None)
    output, caught = os.dup(1), os.memfd_create("onednn")
    os.dup2(caught, 1)
    try:
        with mkldnn.verbose(mkldnn.VERBOSE_ON):
            yield
    finally:
        flush(None)
        os.dup2(output, 1)
        text = os.pread(caught, os.fstat(caught).st_size, 0).decode(errors="replace")
        os.close(output)
        os.close(caught)
    kernel_log.ran(primitives(text))


def primitives(text: str) -> str:
    """The convolutions in oneDNN's verbose output, each once: `brg_conv_fwd:avx512_core forward_training`.

    >>> primitives("onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx512_core,backward_data,src:f32,,,,0.1")
    'oneDNN jit:avx512_core backward_data'
    >>> primitives("nothing of oneDNN")
    'torch'
    """
    kernels: dict[str, None] = {}
    for line in text.splitlines():
        words = line.split(",")
        if words[0] == MARK and "exec" in words and {"convolution", "deconvolution"} & set(words):
            at = next(i for i, word in enumerate(words) if word in ("convolution", "deconvolution"))
            kernels[" ".join(words[at + 1 : at + 3])] = None
    return "oneDNN " + ", ".join(kernels) if kernels else "torch"
