"""Measured peak rates of this machine (matrix products, copies), and the bound that they give (the roofline).

Measured with torch in this process, with as many threads as the methods get.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from convlaws.problem.cost import flops, traffic
from convlaws.problem.problem import Problem

SIDES = (512, 1024, 2048)  # of the square matrices; the best rate is used
COPIED = 1 << 28  # bytes of the array that is copied: larger than any cache
PATIENCE = 0.5  # seconds for each of the two measurements, each time
TRIES = 3


@dataclass
class Machine:
    """Peak rates of this machine with `threads` threads, each measured on first use and cached.

    `products` has the flops per second of a matrix product by dtype, `copying` the bytes per second
    that a copy reads and writes.
    """

    threads: int = 1
    products: dict[str, float] = field(default_factory=dict)
    copying: float = 0.0

    def bound(self, problem: Problem) -> float:
        """The minimum of seconds that `problem` takes with as many multiplications as the definition.

        A fast transform multiplies less, and data in a cache is read faster than memory: both may be below the bound.

        References:
            Williams, Waterman, Patterson: Roofline, CACM 52 (2009).
        """
        if problem.dtype not in self.products:
            self.products[problem.dtype] = _product_rate(problem.dtype, self.threads)
        self.copying = self.copying or _copy_rate(self.threads)
        return max(flops(problem) / self.products[problem.dtype], traffic(problem) / self.copying)

    def again(self) -> None:
        """Repeat the measurements made so far, and keep the better rate: another load may have disturbed the first."""
        for dtype, rate in self.products.items():
            self.products[dtype] = max(rate, _product_rate(dtype, self.threads))
        self.copying = max(self.copying, _copy_rate(self.threads)) if self.copying else 0.0


def _torch(threads: int) -> Any:
    import torch

    torch.set_num_threads(threads)
    return torch


def _product_rate(dtype: str, threads: int) -> float:
    torch = _torch(threads)
    best, until = 0.0, time.perf_counter() + PATIENCE
    for side in SIDES:
        a, b = (torch.randn(side, side).to(getattr(torch, dtype)) for _ in "ab")
        took = _least(partial(torch.mm, a, b), until)
        best = max(best, 2 * side**3 / took)
        if time.perf_counter() > until:
            break
    return best


def _copy_rate(threads: int) -> float:
    torch = _torch(threads)
    source = torch.ones(COPIED // 4)
    target = torch.empty_like(source)
    return 2 * COPIED / _least(lambda: target.copy_(source), time.perf_counter() + PATIENCE)


def _least(call: Callable[[], Any], until: float) -> float:
    """The shortest of a few calls, after an uncounted warm-up; fewer calls if the time is up."""
    call()
    seconds = []
    while len(seconds) < TRIES or (time.perf_counter() < until and len(seconds) < 10 * TRIES):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
        if time.perf_counter() > until:
            break
    return min(seconds)
