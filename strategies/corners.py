"""Corners: where bugs of real libraries began, each as a sentence, a predicate and a wish that leads there.

The thresholds are those of some two hundred documented bugs: the values themselves and those one off.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod

from convlaws.strategies.corner_table import EVEN, ONE, PLAIN, ROWS, STRIDED, Corner, both, some
from convlaws.strategies.wishes import Wish

FLAT: Wish = {"ndim": 1, **PLAIN, "kernel": 1}
MANY: Wish = {**ONE, "scale": "channels"}

CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 22, 23, 24, 25, 26, 31, 32, 33, 34, 63, 64, 65)
BATCHES = (2, 3, 15, 16, 17, 31, 32, 33, 34)
EXTENTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 23, 24, 25, 31, 32, 33, 47, 48, 63, 64, 65)
KERNELS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129)
PADDINGS = (1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 18)
VAST_BATCHES = (1249, 1250, 1251, 1252, 65535, 65536, 65537, 65538)
VAST_CHANNELS = (65535, 65536, 65537, 65538)
LONG = (511, 512, 513, 514)


def _thresholds() -> Iterator[Corner]:
    """The numbers at which real bugs began, one corner each."""
    for c in CHANNELS:
        yield Corner("channels", f"{c} in", lambda p, c=c: p.spec.in_channels == c, {**MANY, "inward": c})
        yield Corner("channels", f"{c} out", lambda p, c=c: p.spec.out_channels == c, {**MANY, "outward": c})
    for c in VAST_CHANNELS:
        yield Corner("channels", f"{c} out", lambda p, c=c: p.spec.out_channels == c, _vast(outward=c, batch="one"))
    for n in (*BATCHES, *VAST_BATCHES):
        scale = {"scale": "images"} if n < 1000 else _vast(outward=1)
        yield Corner("batch", f"{n} images", lambda p, n=n: p.spec.batch == n, {**scale, "batch": "many", "images": n})
    for x in EXTENTS:
        yield Corner("extent", f"{x}", some(lambda a, x=x: a.x == x), {**FLAT, "scale": "space", "beyond": x - 1})
    for x in LONG:
        yield Corner("extent", f"{x}", some(lambda a, x=x: a.x == x), {**FLAT, "scale": "space", "beyond": x - 1})
        yield Corner("extent", f"{x} results", some(lambda a, x=x: a.y == x), {**FLAT, "scale": "space", "beyond": x - 1})
    for r in KERNELS:
        yield Corner("kernel", f"{r} wide", some(lambda a, r=r: a.r == r), {"ndim": 1, "scale": "kernel", "kernel": r})
    for n in PADDINGS:
        holds = some(lambda a, n=n: n in (a.low, a.high))
        yield Corner("padding", f"{n} at an end", holds, {**EVEN, "ndim": 1, "scale": "kernel", "low": n})
    for s in (2, 3, 4, 5):
        yield Corner("stride", f"{s}", some(lambda a, s=s: a.s == s), {**STRIDED, "stride": s})
    for d in (2, 3, 4):
        yield Corner("dilation", f"{d}", some(lambda a, d=d: a.d == d < a.reach), {"dilated": True, "dilation": d, "kernel": 2})
        yield Corner(
            "dilation",
            f"{d} with stride 2",
            some(lambda a, d=d: a.s == 2 and a.d == d),
            {**STRIDED, "stride": 2, "dilated": True, "dilation": d},
        )
    for rest in range(4):
        holds = both(lambda p: not p.spec.transposed, lambda p, rest=rest: prod(p.spec.output) % 4 == rest)
        yield Corner("extent", f"output area {rest} more than a multiple of 4", holds, {**FLAT, "beyond": rest + 3})


def _vast(**more: object) -> Wish:
    return {**FLAT, **ONE, "scale": "vast", "inward": 1, "beyond": 0, **more}


@lru_cache(maxsize=1)
def corners() -> tuple[Corner, ...]:
    """Every corner."""
    return (*_thresholds(), *(Corner(*row) for row in ROWS))
