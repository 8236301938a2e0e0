"""Convolutions term by term, in plain Python: the reference for the tests of the oracle.

Nothing here is shared with the oracle: every product is one step of a loop over indices.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import product

import numpy as np

from convlaws.problem.problem import RESULT
from convlaws.problem.spec import ConvSpec

Index = tuple[int, ...]
_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def origins(spec: ConvSpec) -> list[list[int | None]]:
    """Return, for each axis, the index in the unpadded array that each padded index copies; None for a zero."""
    found = []
    unpadded = spec.output if spec.transposed else spec.extent
    for extent, step, (low, high) in zip(unpadded, spec.input_dilation, spec.sides, strict=True):
        if spec.padding_mode == "zeros":
            stands = {low + place * step: place for place in range(extent)}
            spaced = 1 + (extent - 1) * step if extent else 0
            found.append([stands.get(at) for at in range(low + spaced + high)])
        else:
            found.append([int(i) for i in np.pad(np.arange(extent), (low, high), mode=_MODES[spec.padding_mode])])
    return found


def triples(spec: ConvSpec) -> Iterator[tuple[Index | None, Index, Index]]:
    """Yield (index in the wide image or None for a padded zero, index in the narrow one, index in the kernel) of each term."""
    rows, columns, *kernel = spec.w_shape
    narrow = spec.extent if spec.transposed else spec.output
    where = origins(spec)
    for image, row, column in product(range(spec.images), range(rows), range(columns)):
        channel = row // (rows // spec.groups) * columns + column
        for o, t in product(product(*map(range, narrow)), product(*map(range, kernel))):
            at = [a[i * s + j * d] for a, i, s, j, d in zip(where, o, spec.stride, t, spec.dilation, strict=True)]
            wide = None if None in at else (image, channel, *at)
            yield wide, (image, row, *o), (row, column, *t)


def parts(spec: ConvSpec) -> dict[str, int]:
    """Return which member of a triple is the index into x, into y (and gy), into w."""
    return {"x": 1, "y": 0, "w": 2} if spec.transposed else {"x": 0, "y": 1, "w": 2}


def _batched(spec: ConvSpec, role: str, a: np.ndarray) -> np.ndarray:
    return a[None] if spec.batch is None and role in ("x", "gy") else a


def products(spec: ConvSpec, op: str, operands: dict[str, np.ndarray], number=float) -> dict[Index, list]:
    """Return {index of a result: its terms}, as `number`s; the bias is one of the terms."""
    a = {role: _batched(spec, role, v) for role, v in operands.items()}
    found: dict[Index, list] = defaultdict(list)
    if op == "bgrad":
        for at in np.ndindex(a["gy"].shape):
            found[at[1:2]].append(number(float(a["gy"][at])))
        return found
    place, result = parts(spec), RESULT[op]
    roles = [(role, place[role[-1]]) for role in operands if role != "b"]
    for triple in triples(spec):
        if triple[0] is not None:
            one, two = (number(float(a[role][triple[at]])) for role, at in roles)
            found[triple[place[result]]].append(one * two)
    if "b" in a:
        for at in np.ndindex(_batched(spec, "gy", np.empty(spec.y_shape)).shape):
            found[at].append(number(float(a["b"][at[1]])))
    return found


def array_of(spec: ConvSpec, op: str, shape: Index, found: dict[Index, list], summed) -> np.ndarray:
    """Return the array of `summed(terms)` of each result."""
    lead = (1,) if spec.batch is None and op in ("fprop", "dgrad") else ()
    out = np.empty((*lead, *shape), object)
    for at in np.ndindex(out.shape):
        out[at] = summed(found.get(at, []))
    return out[0] if lead else out


def kind_of_sum(terms: list[float]) -> str:
    """Return the IEEE 754 class of a sum of these terms, in any order, if nothing finite overflows."""
    up, down = math.inf in terms, -math.inf in terms
    if any(map(math.isnan, terms)) or (up and down):
        return "nan"
    return "+inf" if up else "-inf" if down else "finite"


def holes(spec: ConvSpec, op: str) -> Iterator[tuple[Index, Index]]:
    """Yield (result, index in the kernel) where an implementation may multiply a zero that is not an operand's element.

    The zeros are those of a padding, and, for the map that scatters, those that a stride leaves and
    those around the narrow image: it is then a correlation of the stretched narrow image.
    """
    place, result = parts(spec), RESULT[op]
    scatters = (op == "dgrad") != spec.transposed
    if not scatters:
        yield from ((t[place[result]], t[2]) for t in triples(spec) if t[0] is None)
        return
    rows, columns, *kernel = spec.w_shape
    narrow, where = (spec.extent if spec.transposed else spec.output), origins(spec)
    for image, row, column in product(range(spec.images), range(rows), range(columns)):
        channel = row // (rows // spec.groups) * columns + column
        for at, t in product(product(*(range(len(a)) for a in where)), product(*map(range, kernel))):
            source = [a[i] for a, i in zip(where, at, strict=True)]
            away = [i - j * d for i, j, d in zip(at, t, spec.dilation, strict=True)]
            on = all(v % s == 0 and 0 <= v // s < n for v, s, n in zip(away, spec.stride, narrow, strict=True))
            if not on and None not in source:
                yield (image, channel, *source), (row, column, *t)
