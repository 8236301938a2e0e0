"""Which pairs of values a scope admits, and why the others are impossible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import combinations, product

from convlaws.problem.axes import RELATIONS
from convlaws.problem.features import said
from convlaws.problem.scope import WHOLE, Scope
from convlaws.records.coverage import AXES, bits
from convlaws.strategies.specs import MAX_MACS, Kind, Shape, conflict, plan

Pair = tuple[str, str, str, str]

_WORDED = "a word pads by less than the kernel reaches over"
_TRANSPOSED = "a transposed convolution uses every input"
# (axis, value, axis, value): why no problem has both
_NUMBERS: dict[Pair, str] = {
    ("ops", "bgrad", "bias", "no"): "bgrad needs a bias",
    ("one_tap", "yes", "even_kernel", "yes"): "a kernel of one tap is not even",
    ("strided", "no", "stride_over_kernel", "yes"): "a stride of 1 is not beyond a kernel",
    ("strided", "no", "unused_tail", "yes"): "a stride of 1 leaves nothing over",
    ("transposed", "yes", "unused_tail", "yes"): _TRANSPOSED,
    ("output_padding", "yes", "unused_tail", "yes"): _TRANSPOSED,
    ("padding", "none", "padding_over_kernel", "yes"): "there is no padding",
    **{("padding", word, "padding_over_kernel", "yes"): _WORDED for word in ("valid", "same", "sameupper", "samelower")},
    ("padding", "same", "stride_over_kernel", "yes"): "padding 'same' needs stride 1",
    ("padding", "same", "unused_tail", "yes"): "padding 'same' needs stride 1",
}


@lru_cache(maxsize=1)
def impossible() -> dict[Pair, str]:
    """Each pair of values that no problem has, with the reason."""
    kinds, fits, found = product(*(getattr(WHOLE, name) for name in Kind._fields)), set(), {}
    for kind in map(Kind._make, kinds):
        why = conflict(kind)
        for (a, x), (b, y) in combinations(_said(kind), 2):
            fits |= {(a, x, b, y)} if why is None else set()
            found.setdefault((a, x, b, y), why)
    return {pair: why for pair, why in found.items() if pair not in fits} | _NUMBERS


def _pairs(axes: Mapping[str, list[str]]) -> Iterator[Pair]:
    return ((a, x, b, y) for a, b in combinations(axes, 2) for x, y in product(axes[a], axes[b]))


@lru_cache(maxsize=256)
def admitted(scope: Scope) -> int:
    """The pairs that problems of `scope` can have, as `records.coverage.places` has their bits."""
    held, inside, out = _held(plan(scope, MAX_MACS).kinds), {*Shape._fields, *Kind._fields}, impossible()
    allowed = {name: _allowed(scope, name) for name in AXES}
    found = (pair for pair in _pairs(AXES) if pair[1] in allowed[pair[0]] and pair[3] in allowed[pair[2]])
    return bits(p for p in found if p not in out and (not {p[0], p[2]} <= inside or frozenset((p[:2], p[2:])) in held))


def _held(kinds: Mapping[Shape, tuple[Kind, ...]]) -> set[frozenset]:
    """The pairs of (name, value) that some shape and kind have together."""
    rows = {some: [_said(kind) for kind in some] for some in set(kinds.values())}
    held = {frozenset(pair) for told in rows.values() for row in told for pair in combinations(row, 2)}
    for shape, some in kinds.items():
        among = {pair for row in rows[some] for pair in row}
        held |= {frozenset(pair) for pair in (*combinations(_said(shape), 2), *product(_said(shape), among))}
    return held


def _said(row: Shape | Kind) -> list[tuple[str, str]]:
    return [(name, said(value)) for name, value in zip(row._fields, row, strict=True)]


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
