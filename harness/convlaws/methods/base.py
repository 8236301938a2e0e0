"""Code shared by all our methods: padding, bias, batch axis and dtype around three maps.

A method is a class with three static functions on padded, batched arrays of
the computing dtype; the four ops of a convolution, and those of a transposed
one, are these three with the arrays exchanged. A method without one of the maps
excludes the problems that need it by its scope.

    gather(g, wide, w)     (N, C, *wide), (K, C/G, *kernel)  ->  (N, K, *narrow)
    scatter(g, narrow, w)  (N, K, *narrow), (K, C/G, *kernel) -> (N, C, *wide)
    weigh(g, wide, narrow)                                   ->  (K, C/G, *kernel)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from convlaws.problem.formats import FORMATS
from convlaws.problem.spec import ConvSpec
from convlaws.problem.spec_text import Sides

Array = np.ndarray
_NUMPY_MODE = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@dataclass(frozen=True)
class Geometry:
    """The sizes that the three maps need: K rows and C columns of channels, extents of both sides."""

    rows: int
    columns: int
    groups: int
    wide: tuple[int, ...]
    narrow: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """The number of spatial axes."""
        return len(self.wide)

    @property
    def reach(self) -> tuple[int, ...]:
        """The extent of the dilated kernel."""
        return tuple(d * (r - 1) + 1 for d, r in zip(self.dilation, self.kernel, strict=True))

    @staticmethod
    def of(spec: ConvSpec) -> Geometry:
        """Return the geometry of a spec; for a transposed one, x and y are exchanged."""
        outer, inner = (spec.output, spec.extent) if spec.transposed else (spec.spaced, spec.output)
        wide = tuple(n + low + high for n, (low, high) in zip(outer, spec.sides, strict=True))
        rows, columns = spec.w_shape[0], spec.w_shape[1] * spec.groups
        return Geometry(rows, columns, spec.groups, wide, inner, spec.kernel, spec.stride, spec.dilation)


class Maps(Protocol):
    """The three maps of a method."""

    @staticmethod
    def gather(g: Geometry, wide: Array, w: Array) -> Array: ...

    @staticmethod
    def scatter(g: Geometry, narrow: Array, w: Array) -> Array: ...

    @staticmethod
    def weigh(g: Geometry, wide: Array, narrow: Array) -> Array: ...


def run(maps: type[Maps], spec: ConvSpec, op: str, operands: dict[str, Array]) -> Array:
    """Run `op` of `spec` with these maps; half types are computed in float32 and rounded once, bias included."""
    dtype = next(iter(operands.values())).dtype
    compute = dtype if dtype in (np.float32, np.float64) else np.dtype(np.float32)
    a = {role: np.asarray(v, compute) for role, v in operands.items()}
    if spec.batch is None:
        a = {role: v[None] if role in ("x", "gy") else v for role, v in a.items()}
    with np.errstate(all="ignore"):
        result = _OPS[op](maps, Geometry.of(spec), spec, a)
        result = result[0] if spec.batch is None and op in ("fprop", "dgrad") else result
        return result.astype(dtype, order="C")  # always a copy, so that no memory of a map is returned


def _fprop(maps, g, spec, a):
    y = _crop(spec, maps.scatter(g, a["x"], a["w"])) if spec.transposed else maps.gather(g, _pad(spec, a["x"]), a["w"])
    return y + a["b"].reshape(-1, *(1,) * g.ndim) if "b" in a else y


def _dgrad(maps, g, spec, a):
    if spec.transposed:
        return maps.gather(g, _pad(spec, a["gy"]), a["w"])
    return _fold(spec, maps.scatter(g, a["gy"], a["w"]))


def _wgrad(maps, g, spec, a):
    wide, narrow = (a["gy"], a["x"]) if spec.transposed else (a["x"], a["gy"])
    return maps.weigh(g, _pad(spec, wide), narrow)


def _bgrad(maps, g, spec, a):
    return a["gy"].sum(axis=(0, *range(2, a["gy"].ndim)))


_OPS = {"fprop": _fprop, "dgrad": _dgrad, "wgrad": _wgrad, "bgrad": _bgrad}


def _pad(spec: ConvSpec, a: Array) -> Array:
    if not spec.transposed:
        a = _spaced(spec, a)
    if not any(map(any, spec.sides)):
        return a
    if not a.size or spec.padding_mode == "zeros":  # np.pad cannot wrap or reflect an empty array, and is slow for zeros
        grown = np.zeros((*a.shape[:2], *(n + sum(s) for n, s in zip(a.shape[2:], spec.sides, strict=True))), a.dtype)
        grown[_within(grown, spec.sides)] = a[_within(a, _negated(spec.sides))]
        return grown
    return np.pad(a, ((0, 0), (0, 0), *spec.sides), mode=_NUMPY_MODE[spec.padding_mode])


def _spaced(spec: ConvSpec, a: Array) -> Array:
    """Return `a` with the zeros of an input dilation between its elements."""
    if max(spec.input_dilation) == 1:
        return a
    spread = np.zeros((*a.shape[:2], *spec.spaced), a.dtype)
    spread[_every(spec.input_dilation)] = a
    return spread


def _every(steps: tuple[int, ...]) -> tuple:
    return (..., *(slice(None, None, step) for step in steps))


def _within(a: Array, sides: Sides) -> tuple:
    """Return the index that removes the positive sides from `a`; negative ones remove nothing."""
    kept = zip(sides, a.shape[2:], strict=True)
    return (..., *(slice(max(low, 0), max(n - max(high, 0), 0)) for (low, high), n in kept))


def _negated(sides: Sides) -> Sides:
    return tuple((-low, -high) for low, high in sides)


def _crop(spec: ConvSpec, a: Array) -> Array:
    return a[_within(a, spec.sides)]


def _fold(spec: ConvSpec, a: Array) -> Array:
    """The adjoint of padding: sum copies into the element that they were copied from."""
    if spec.padding_mode == "zeros":
        spread = np.zeros((*a.shape[:2], *spec.spaced), a.dtype)  # cropped elements have a zero gradient
        spread[_within(spread, _negated(spec.sides))] = _crop(spec, a)
        return spread[_every(spec.input_dilation)]
    for axis, (extent, (low, high)) in enumerate(zip(spec.extent, spec.sides, strict=True)):
        origin = np.pad(np.arange(extent), (low, high), mode=_NUMPY_MODE[spec.padding_mode])
        moved = np.moveaxis(a, axis + 2, 0)
        folded = np.zeros((extent, *moved.shape[1:]), a.dtype)
        np.add.at(folded, origin, moved)
        a = np.moveaxis(folded, 0, axis + 2)
    return a


def bits_to_array(raw: Array, dtype: str) -> Array:
    """Return an array as it was before it was sent to this process: bfloat16 is sent as uint16."""
    return raw.view(FORMATS[dtype].dtype) if dtype == "bfloat16" else raw
