"""Which one should I use? Timings as tables of a page."""

from __future__ import annotations


def standalone(times):
    return ""
