"""The peak memory of one call, as the operating system counts it: allocations of libraries in C are included."""

from __future__ import annotations

import ctypes
import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
LEAST = 1 << 20  # bytes: the kernel's count is exact to some 64 pages per core, so that less would be noise


def peak_bytes(call: Callable[[], object]) -> int:
    """Return the peak resident memory of a call in bytes, beyond that before it; its result is included.

    asv's own `peakmem_` is the peak of the whole process, of which the libraries are 300 MB. Here the
    peak is reset before the call, after memory freed by earlier calls is returned to the system. Memory that a
    library keeps from its first call for later ones is not included. A peak below LEAST is reported as LEAST.

    Raises:
        NotImplementedError: the system has no such counter (only Linux has).
    """
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        gc.collect()
        CLEAR.write_text("5")  # resets VmHWM to VmRSS
    except OSError as error:
        raise NotImplementedError(f"the peak of the memory cannot be set back here: {error}") from None
    before = _kilobytes("VmRSS")
    call()
    return max(LEAST, 1024 * (_kilobytes("VmHWM") - before))


def allocated_bytes(call: Callable[[], object]) -> int:
    """Return the peak bytes that Python and NumPy hold for a call: exact, but without allocations of libraries in C."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _kilobytes(field: str) -> int:
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(field))
