"""The mixture of hints in a batch of draws: shares of the covering array, corners, real layers and swarms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random

from convlaws.problem.scope import Scope
from convlaws.strategies.corners import corners
from convlaws.strategies.covering_array import rows
from convlaws.strategies.hints import Hint, swarm
from convlaws.strategies.network_layers import layers, mutated
from convlaws.strategies.tables import NUMBERS

# shares of a batch's draws; the rest is drawn without hints
_SHARES = {"covering": 1 / 3, "corners": 1 / 6, "layers": 1 / 12, "swarms": 1 / 12}
_FIELDS = {"op": "ops", "dtype": "dtypes", "layout": "layouts", "fill": "fills"}


def hints(scope: Scope, place: float, count: int, random: Random) -> list[Hint]:
    """Return the hints for a batch of `count` draws of `scope`; `place` in [0, 1) is the start position in each list."""
    share = {name: round(part * count) for name, part in _SHARES.items()}
    return [
        *_taken(_rows(scope.ops), place, share["covering"]),
        *_taken(_corners(scope), place, share["corners"]),
        *(mutated(hint, random) for hint in _taken(_layers(scope), place, share["layers"])),
        *(swarm(random) for _ in range(share["swarms"])),
    ]


def _taken(found: Sequence[Hint], place: float, count: int) -> list[Hint]:
    """Return `count` consecutive entries, starting at `place`, cyclically."""
    start = int(place * len(found))
    return [found[(start + n) % len(found)] for n in range(min(count, len(found)))]


@lru_cache(maxsize=16)
def _rows(ops: tuple[str, ...]) -> tuple[Hint, ...]:
    """Return the rows of the covering array for these ops; other features are followed only as far as a scope allows."""
    return tuple(row for row in rows() if row["op"] in ops)


@lru_cache(maxsize=256)
def _corners(scope: Scope) -> tuple[Hint, ...]:
    return tuple(corner.hint for corner in corners() if corner.hint and _within(corner.hint, scope))


@lru_cache(maxsize=256)
def _layers(scope: Scope) -> tuple[Hint, ...]:
    return tuple(hint for hint in layers() if _within(hint, scope))


def _within(hint: Hint, scope: Scope) -> bool:
    """True if the scope allows the features that a hint names; numbers are approximated, so they do not count."""
    named = ((_FIELDS.get(name, name), value) for name, value in hint.items() if name not in NUMBERS and name != "scale")
    return all(value in getattr(scope, field) for field, value in named)
