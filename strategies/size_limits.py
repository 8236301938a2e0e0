"""Size limits of drawn problems, and the reduction of numbers until a problem is within them."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import NamedTuple

from convlaws.problem.scope import macs_of_an_image, matrix_entries
from convlaws.problem.spec import ConvSpec
from convlaws.strategies.build import spec_of
from convlaws.strategies.tables import ChoiceTable, Draft, Raw

OPERAND = 2**15  # elements of the largest array: the oracle then takes about a millisecond
VAST = 2**17  # the same for the scale `vast`, whose few problems exceed 2**16


class SizeLimits(NamedTuple):
    """Upper limits of a problem; `matrix` as in Scope. No images count as one: a law may add some."""

    macs: int
    matrix: int
    operand: int = OPERAND

    def exceeded(self, spec: ConvSpec) -> str | None:
        """Return what is too large, in words; None if nothing is."""
        macs = macs_of_an_image(spec)
        if macs > self.macs:
            return f"it takes {macs:,} multiply-adds at least, over {self.macs:,}"
        if self.matrix and matrix_entries(spec) > self.matrix:
            return f"its matrix has {matrix_entries(spec):,} entries at least, over {self.matrix:,}"
        largest = _largest(spec)
        return f"an array has {largest:,} elements at least, over {self.operand:,}" if largest > self.operand else None


def vast(spec: ConvSpec) -> bool:
    """Return True if an array has more elements than any but the problems of the scale `vast`."""
    return _largest(spec) > OPERAND


def _largest(spec: ConvSpec) -> int:
    """Return the elements of the largest array, those of one image if there is none."""
    one = spec if spec.images else replace(spec, batch=1)
    return max(map(prod, (one.x_shape, one.w_shape, one.y_shape)))


# cut in this order: repetitions first, numbers that change a method's code path last
_CUTS = (
    ("extra_extent", "images", "in_per_group", "out_per_group", "groups"),
    ("kernel", "dilation", "low", "high", "extra", "input_dilation"),
    ("stride",),
)


def fitted(draft: Draft, raw: Raw, limits: SizeLimits) -> ConvSpec:
    """Return the spec of these numbers, lowering each large one along its table until the limits hold."""
    spec = spec_of(draft, raw)
    while limits.exceeded(spec) and _cut(draft.menu, raw):
        spec = spec_of(draft, raw)
    return spec


def _cut(menu: ChoiceTable, raw: Raw) -> bool:
    """Lower the largest number by one entry of its table; False if every number is already at its least."""
    for names in _CUTS:
        left = [(v, name, i) for name in names for i, v in enumerate(raw[name]) if v > menu[name][0]]
        if left:
            value, name, i = max(left)
            raw[name][i] = max(t for t in menu[name] if t < value)
            return True
    return False
