"""What asv calls before each timed call, done once.

asv_runner runs `setup` and `teardown` around every single call of a `time_` benchmark. A set-up that draws arrays and
asks the oracle would take hours so, and leave cold caches; hence `once`, and `calls_a_sample`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

SAMPLE = 0.01  # seconds that the calls of a sample take together: the clock's own 0.1 µs are then nothing
MOST = 1000  # calls a sample


def once(prepare: Callable[..., None]) -> Callable[..., None]:
    """A `setup` that does its work at the first call with given parameters, and nothing at the others."""

    @wraps(prepare)
    def setup(self: Any, *params: Any) -> None:
        if getattr(self, "_prepared_for", None) != params:
            prepare(self, *params)
            self._prepared_for = params

    return setup


def calls_a_sample(call: Callable[[], object]) -> int:
    """How many calls fill a sample; each is still timed on its own, and the sample is their mean.

    `number` is given to asv, as it would otherwise take the first call, which is the slowest, for all.
    """
    spent = min(_seconds(call) for _ in range(3))
    return max(1, min(MOST, math.ceil(SAMPLE / spent)))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return max(time.perf_counter() - started, 1e-7)
