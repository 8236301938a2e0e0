"""Right convolutions in unusual orders of summation, each as three maps (see `methods.base.Maps`): no law may break for them."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from convlaws.methods.base import Array, Geometry, run
from convlaws.methods.indices import steps
from convlaws.mutants.registry import healthy

Sum = Callable[[Array, Array], Array]


# --- one matrix product, summed in some order ------------------------------------------------
def _windows(g: Geometry, wide: Array) -> Array:
    """(G, C/G taps, N positions): what each position reads, tap by tap."""
    shape = (len(wide), g.groups, g.columns // g.groups, prod(g.narrow))
    taps = np.stack([wide[(..., *step)].reshape(shape) for step in steps(g)], axis=3)
    return taps.transpose(1, 2, 3, 0, 4).reshape(g.groups, shape[2] * len(steps(g)), len(wide) * prod(g.narrow))


def _positions(g: Geometry, narrow: Array) -> Array:
    """(G, K/G, N positions)"""
    apart = narrow.reshape(len(narrow), g.groups, g.rows // g.groups, prod(g.narrow))
    return apart.transpose(1, 2, 0, 3).reshape(g.groups, g.rows // g.groups, len(narrow) * prod(g.narrow))


def summed_by(product_of: Sum) -> type:
    """Maps whose every sum is one of `product_of`: (G, rows, terms), (G, terms, columns) -> (G, rows, columns)."""

    class Maps:
        @staticmethod
        def gather(g: Geometry, wide: Array, w: Array) -> Array:
            y = product_of(w.reshape(g.groups, g.rows // g.groups, -1), _windows(g, wide))
            return y.reshape(g.rows, len(wide), *g.narrow).swapaxes(0, 1)

        @staticmethod
        def scatter(g: Geometry, narrow: Array, w: Array) -> Array:
            flat = w.reshape(g.groups, g.rows // g.groups, -1).swapaxes(1, 2)
            product = product_of(flat, _positions(g, narrow))
            parts = product.reshape(g.columns, len(steps(g)), len(narrow), *g.narrow)
            x = np.zeros((g.columns, len(narrow), *g.wide), product.dtype)
            for tap, step in reversed(list(enumerate(steps(g)))):
                x[(..., *step)] += parts[:, tap]
            return x.swapaxes(0, 1)

        @staticmethod
        def weigh(g: Geometry, wide: Array, narrow: Array) -> Array:
            w = product_of(_positions(g, narrow), _windows(g, wide).swapaxes(1, 2))
            return w.reshape(g.rows, g.columns // g.groups, *g.kernel)

    return Maps


def _blocks(size: int) -> Sum:
    def added(a: Array, b: Array) -> Array:
        total = a[..., :0] @ b[:, :0]
        for start in range(0, a.shape[-1], size):
            total = total + a[..., start : start + size] @ b[:, start : start + size]
        return total

    return added


def _pairwise(a: Array, b: Array) -> Array:
    if a.shape[-1] < 2:
        return a @ b
    half = a.shape[-1] // 2
    return _pairwise(a[..., :half], b[:, :half]) + _pairwise(a[..., half:], b[:, half:])


def _shuffled(a: Array, b: Array) -> Array:
    order = np.random.default_rng(7).permutation(a.shape[-1])
    return _blocks(1)(a[..., order], b[:, order])


def _compensated(a: Array, b: Array) -> Array:
    """Kahan's sum; where it is not finite there is nothing to make good."""
    total = lost = a[..., :0] @ b[:, :0]
    for n in range(a.shape[-1]):
        term = a[..., n : n + 1] * b[:, n : n + 1] - lost
        now = total + term
        lost = (now - total) - term
        lost = np.where(np.isfinite(lost), lost, np.zeros_like(lost))
        total = now
    return total


def _fused(a: Array, b: Array) -> Array:
    """Product and sum rounded once a term, from float64 where the type is float32."""
    total = a[..., :0] @ b[:, :0]
    for n in range(a.shape[-1]):
        term = a[..., n : n + 1].astype(np.float64) * b[:, n : n + 1]
        total = (total + term).astype(a.dtype)
    return total


def _extended(a: Array, b: Array) -> Array:
    return np.matmul(a.astype(np.longdouble), b.astype(np.longdouble)).astype(a.dtype)


def _register(name: str, says: str, product_of: Sum) -> Callable:
    maps = summed_by(product_of)

    def compute(spec, op, a):
        return run(maps, spec, op, a)

    compute.__name__, compute.__doc__, compute.__module__ = name, says, __name__
    return healthy()(compute)


blocks_of_4 = _register("blocks_of_4", "Adds blocks of 4 terms, as a register does.", _blocks(4))
blocks_of_8 = _register("blocks_of_8", "Adds blocks of 8 terms.", _blocks(8))
blocks_of_16 = _register("blocks_of_16", "Adds blocks of 16 terms, as a matrix unit does.", _blocks(16))
pairwise = _register("pairwise", "Adds halves of the terms, each the same way.", _pairwise)
shuffled = _register("shuffled", "Adds the terms one by one, in a random order.", _shuffled)
compensated = _register("compensated", "Adds with the compensation of what each addition lost (Kahan).", _compensated)
fused = _register("fused", "Rounds once for each product and its addition.", _fused)
extended = _register("extended", "Adds in long double.", _extended)
einsum = _register("einsum", "Leaves order and blocking to einsum.", lambda a, b: np.einsum("grt,gtc->grc", a, b))
