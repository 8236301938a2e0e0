"""A covering array: rows of features in which each three values that go together stand together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations, product
from random import Random

import numpy as np

from convlaws.scope import WHOLE
from convlaws.strategies.specs import Kind, conflict
from convlaws.strategies.wishes import Wish

_CALL = ("op", "bias")
_AXES: dict[str, tuple] = {
    "op": WHOLE.ops,
    "bias": WHOLE.bias,
    "dtype": WHOLE.dtypes,
    "layout": WHOLE.layouts,
    "fill": WHOLE.fills,
    "ndim": WHOLE.ndim,
    "grouping": WHOLE.grouping,
    "batch": WHOLE.batch,
    **{name: getattr(WHOLE, name) for name in Kind._fields},
}
# what leaves nothing to compare: in rows of their own, or they would spoil the other values of their row
_NOTHING: dict[str, tuple] = {"batch": ("empty",), "empty": (True,)}
_SOME: dict[str, tuple] = {name: tuple(v for v in _AXES[name] if v not in gone) for name, gone in _NOTHING.items()}


def kinds() -> list[Kind]:
    """Every kind that some spec has."""
    rows = (Kind(*row) for row in product(*(_AXES[name] for name in Kind._fields)))
    return [kind for kind in rows if conflict(kind) is None]


@lru_cache(maxsize=1)
def rows() -> tuple[Wish, ...]:
    """Three-way complete where there is something to compare, then pairwise complete where there is not."""
    some = Array({**_AXES, **_SOME}, 3)
    nothing = [Array({**_AXES, name: gone}, 2) for name, gone in _NOTHING.items()]
    return tuple(row for array in (some, *nothing) for row in array.rows())
