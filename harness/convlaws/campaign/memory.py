"""Resident memory of this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def resident() -> int:
    """Resident bytes of this process; 0 where the system does not report them."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
