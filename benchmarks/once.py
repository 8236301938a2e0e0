"""Set-up that is done once, although asv calls it before each timed call.

asv_runner runs `setup` and `teardown` around every single call of a `time_` benchmark. With a set-up that draws arrays and
asks the oracle, this would take hours and leave cold caches; hence `once`, and `calls_a_sample`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

SAMPLE = 0.01  # seconds of all calls of a sample: the clock's own 0.1 µs are then negligible
MOST = 1000  # most calls per sample


def once(prepare: Callable[..., None]) -> Callable[..., None]:
    """Return a `setup` that does its work at the first call with given parameters, and nothing at the others."""

    @wraps(prepare)
    def setup(self: Any, *params: Any) -> None:
        if getattr(self, "_prepared_for", None) != params:
            prepare(self, *params)
            self._prepared_for = params

    return setup


def calls_a_sample(call: Callable[[], object]) -> int:
    """Return how many calls fill a sample; each is still timed on its own, and the sample is their mean.

    asv gets it as `number`, as it would otherwise derive one from the first call, which is the slowest.
    """
    spent = min(_seconds(call) for _ in range(3))
    return max(1, min(MOST, math.ceil(SAMPLE / spent)))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return max(time.perf_counter() - started, 1e-7)
