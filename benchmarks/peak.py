"""The peak memory of one call, as the kernel of the system counts it: what libraries allocate in C is in it."""

from __future__ import annotations

import ctypes
import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
LEAST = 1 << 20  # bytes: the kernel counts to some 64 pages a core, so that less would be noise


def peak_bytes(call: Callable[[], object]) -> int:
    """Bytes of resident memory that a call takes at its highest, beyond those before it; its result is among them.

    asv's own `peakmem_` is the peak of the whole process, of which the libraries are 300 MB. Here the
    peak is set back before the call, and what earlier calls freed is first handed back to the system. What a
    library keeps from its first call for later ones is not in it. What takes less than LEAST is said to take that.

    Raises:
        NotImplementedError: the system has no such counter (it is Linux').
    """
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        gc.collect()
        CLEAR.write_text("5")  # VmHWM back to VmRSS
    except OSError as error:
        raise NotImplementedError(f"the peak of the memory cannot be set back here: {error}") from None
    before = _kilobytes("VmRSS")
    call()
    return max(LEAST, 1024 * (_kilobytes("VmHWM") - before))


def allocated_bytes(call: Callable[[], object]) -> int:
    """Bytes that Python and NumPy hold for a call at its highest: exact, but what libraries allocate in C is not in it."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _kilobytes(field: str) -> int:
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(field))
