"""How much memory this process holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def resident() -> int:
    """Bytes that are resident; 0 where the system does not say."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
