"""Which pairs of values a scope admits, and why the others are impossible."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, product

from convlaws.axes import RELATIONS
from convlaws.census import AXES, bits
from convlaws.features import said
from convlaws.scope import WHOLE, Scope
from convlaws.strategies.specs import MAX_MACS, Kind, Shape, conflict, plan

Pair = tuple[str, str, str, str]

_ONE_TAP = "a kernel of one tap is not even"
_WORDED = "a word pads by less than the kernel reaches over"
_TRANSPOSED = "a transposed convolution uses every input"
# (axis, value, axis, value): why no problem has both
_NUMBERS: dict[Pair, str] = {
    ("one_tap", "yes", "even_kernel", "yes"): _ONE_TAP,
    ("strided", "no", "stride_over_kernel", "yes"): "a stride of 1 is not beyond a kernel",
    ("strided", "no", "unused_tail", "yes"): "a stride of 1 leaves nothing over",
    ("transposed", "yes", "unused_tail", "yes"): _TRANSPOSED,
    ("output_padding", "yes", "unused_tail", "yes"): _TRANSPOSED,
    ("padding", "none", "padding_over_kernel", "yes"): "there is no padding",
    **{("padding", word, "padding_over_kernel", "yes"): _WORDED for word in ("valid", "same", "sameupper", "samelower")},
    ("padding", "same", "stride_over_kernel", "yes"): "padding 'same' needs stride 1",
    ("padding", "same", "unused_tail", "yes"): "padding 'same' needs stride 1",
}


def impossible() -> dict[Pair, str]:
    """Each pair of values that no problem has, with the reason."""
    return {pair: reason for pair in _pairs(AXES) if (reason := _reason(pair))}


def _pairs(axes: dict[str, list[str]]) -> Iterator[Pair]:
    return ((a, x, b, y) for a, b in combinations(axes, 2) for x, y in product(axes[a], axes[b]))


def _reason(pair: Pair) -> str | None:
    a, x, b, y = pair
    if {(a, x), (b, y)} == {("ops", "bgrad"), ("bias", "no")}:
        return "bgrad needs a bias"
    if a in Kind._fields and b in Kind._fields:
        reasons = [why for kind, why in _kinds() if said(getattr(kind, a)) == x and said(getattr(kind, b)) == y]
        return None if None in reasons else reasons[0]
    return _NUMBERS.get(pair)


@lru_cache(maxsize=1)
def _kinds() -> list[tuple[Kind, str | None]]:
    kinds = (Kind(*row) for row in product(*(getattr(WHOLE, name) for name in Kind._fields)))
    return [(kind, conflict(kind)) for kind in kinds]


@lru_cache(maxsize=256)
def admitted(scope: Scope) -> int:
    """The pairs that problems of `scope` can have, as `census.places` has their bits."""
    together = [
        dict(zip((*Shape._fields, *Kind._fields), map(said, (*shape, *kind)), strict=True))
        for shape, kind in plan(scope, MAX_MACS).kinds()
    ]
    held = {(a, s[a], b, s[b]) for s in together for a, b in combinations(_in_order(s), 2)}
    inside = {name: {s[name] for s in together} for name in together[0]}
    allowed = {name: inside[name] if name in inside else _allowed(scope, name) for name in AXES}
    found = (pair for pair in _pairs(AXES) if pair[1] in allowed[pair[0]] and pair[3] in allowed[pair[2]] and not _reason(pair))
    return bits(pair for pair in found if not {pair[0], pair[2]} <= inside.keys() or pair in held)


def _in_order(row: dict[str, str]) -> list[str]:
    return [name for name in AXES if name in row]


def _allowed(scope: Scope, name: str) -> set[str]:
    """The values of an axis in a scope: of a relation those that its kernels and strides allow."""
    if name not in RELATIONS:
        return {said(value) for value in getattr(scope, name)}
    rules = {
        "one_tap": {said(r == 1) for r in scope.kernel},
        "even_kernel": {said(r % 2 == 0) for r in scope.kernel},
        "stride_over_kernel": {said(s > r) for s, r in product(scope.stride, scope.kernel)},
        "unused_tail": {"no"} if scope.strided == (False,) else set(),
    }
    return rules.get(name) or set(AXES[name])
