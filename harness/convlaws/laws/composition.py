"""Laws of composition: convolutions in a row are one convolution, and waves are eigenvectors of a circular one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convlaws.laws.arrays import spread
from convlaws.laws.registry import Ask, law
from convlaws.oracle.claim import Approx, Claim
from convlaws.problem.problem import Problem
from convlaws.problem.scope import NOT_EMPTY, Scope
from convlaws.problem.spec import ConvSpec, Sides

MOST = 3  # small integers: partial sums of three factors stay exact, so the bounds are zero
SAFE = 1 + 2.0**-40  # the bounds themselves are computed in float64


@dataclass(frozen=True)
class Chain:
    """Two convolutions in a row, and the one that they compose to.

    Plain ones, with strides s1, s2 and dilations d1, d2:

        z[o] = sum f[t2] y[o s2 + t2 d2],  y[i] = sum g[t1] x[i s1 + t1 d1]
             = sum h[u] x[o s1 s2 + u],    u = t1 d1 + t2 d2 s1

    The composed kernel h = sum_k f[m, k, t2] g[k, c, t1] is what a transposed convolution of stride
    d2 s1 and dilation d1 makes of the image f (m images of k channels) with the kernel g, that is
    also the input gradient of a plain one. Transposed ones have u = t1 d1 s2 + t2 d2, so
    there g is the image and f the kernel. Neither is flipped.
    """

    first: ConvSpec
    second: ConvSpec
    both: ConvSpec


def chain(p: Problem) -> Chain:
    """A chain that begins with the sizes of `p`; padding is none, or full if `p` has any."""
    rng, ndim = p.rng("chain"), p.spec.ndim
    full = any(map(sum, p.spec.sides)) and not p.spec.transposed
    extent = p.spec.extent if p.spec.transposed else tuple(map(max, p.spec.extent, p.spec.reach))
    bare = replace(p.spec, bias=False, output_padding=(), padding=(), extent=extent)
    first = replace(bare, padding=_around(p.spec.reach, full))
    stride, dilation = (tuple(map(int, rng.integers(1, 3, size=ndim))) for _ in range(2))
    wished = rng.integers(1, 4, size=ndim)
    room = (99,) * ndim if full or p.spec.transposed else first.output
    kernel = tuple(min(int(r), 1 + (n - 1) // d) for r, n, d in zip(wished, room, dilation, strict=True))
    sizes: dict[str, Any] = {"extent": first.output, "kernel": kernel, "stride": stride, "dilation": dilation}
    channels: dict[str, Any] = {"in_channels": first.out_channels, "out_channels": int(rng.integers(1, 4)), "groups": 1}
    reach = tuple(d * (r - 1) + 1 for r, d in zip(kernel, dilation, strict=True))
    second = replace(bare, **sizes, **channels, padding=_around(reach, full))
    return Chain(first, second, _both(first, second, full))


def _around(reach: tuple[int, ...], full: bool) -> Sides:
    return tuple((n - 1, n - 1) if full else (0, 0) for n in reach)


def _times(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x * y for x, y in zip(a, b, strict=True))


def _both(first: ConvSpec, second: ConvSpec, full: bool) -> ConvSpec:
    """The composed convolution: its kernel has every tap, most of them zero where there are dilations."""
    stride = _times(first.stride, second.stride)
    one, two = (tuple(n - 1 for n in c.reach) for c in (first, second))
    one, two = (_times(one, second.stride), two) if first.transposed else (one, _times(two, first.stride))
    kernel = tuple(a + b + 1 for a, b in zip(one, two, strict=True))
    # low: as far as the kernel reaches; high: so far that the last result of the chain is there
    ends = zip(second.output, stride, kernel, first.extent, strict=True)
    sides = tuple((r - 1, max(0, (m - 1) * s + 1 - n)) for m, s, r, n in ends) if full else ()
    return replace(first, out_channels=second.out_channels, groups=1, kernel=kernel, stride=stride,
                   dilation=(1,) * first.ndim, padding=sides)  # fmt: skip


def _small(p: Problem, tag: str, shape: tuple[int, ...]) -> np.ndarray:
    """Integers of one to MOST with signs, none zero."""
    rng = p.rng(tag)
    return (rng.integers(1, MOST + 1, size=shape) * rng.choice([-1, 1], size=shape)).astype(p.format.dtype)


def _operands(p: Problem, c: Chain) -> tuple[np.ndarray, ...]:
    shapes = {"x": c.first.x_shape, "g": c.first.w_shape, "f": c.second.w_shape}
    return tuple(_small(p, tag, shape) for tag, shape in shapes.items())


def _composes(ask: Ask, c: Chain, operands: tuple[np.ndarray, ...], h: Approx) -> Claim:
    """Both ways, each fed with the method's own intermediate result; what that may be off is in the bounds.

    |conv(y + e, f) - conv(y, f)| <= max|e| sum|f|, |conv(x, h + e) - conv(x, h)| <= max|e| max|x| (size of h).
    """
    x, g, f = operands
    y = ask(c.first, "fprop", {"x": x, "w": g})
    z = ask(c.second, "fprop", {"x": y.value.astype(x.dtype), "w": f})
    once = ask(c.both, "fprop", {"x": x, "w": np.ascontiguousarray(h.value.astype(x.dtype))})
    in_two = y.bound.max(initial=0) * np.abs(f).sum(dtype=np.float64) * SAFE
    in_one = h.bound.max(initial=0) * MOST * h.value.size * SAFE
    left = Approx(z.value, z.bound + in_two, "one after the other")
    return Claim.equal(left, Approx(once.value, once.bound + in_one, "the composed kernel"))


_ROW = Scope(
    ops=("fprop",), batch=NOT_EMPTY, dtypes=("float64", "float32"), layouts=("contiguous", "channels_last", "sliced"),
    fills=("integers",), transposed=(False,), padding_mode=("zeros",), grouping=("one",), macs=20_000,
)  # fmt: skip


@law(_ROW, weight=0.5, specific=2)
def convolutions_in_a_row_are_one(p: Problem, ask: Ask) -> Claim:
    """conv(conv(x, g), f) = conv(x, h) with h = conv(g, f), f flipped, g's channels as a batch."""
    c = chain(p)
    x, g, f = _operands(p, c)
    wide = spread(g, c.first.dilation, c.first.reach)
    step = _times(c.second.dilation, c.first.stride)
    full = tuple(((r - 1) * d, (r - 1) * d) for r, d in zip(c.second.kernel, step, strict=True))
    inner = replace(c.second, batch=g.shape[1], extent=c.first.reach, stride=(1,) * p.spec.ndim, dilation=step, padding=full)
    flipped = np.flip(f, tuple(range(2, f.ndim)))
    operands = {"x": np.swapaxes(wide, 0, 1), "w": flipped}
    h = ask(inner, "fprop", {r: np.ascontiguousarray(a) for r, a in operands.items()})
    return _composes(ask, c, (x, g, f), h.moved(lambda a: np.swapaxes(a, 0, 1)))


@law(replace(_ROW, ops=("dgrad",), grouping=Scope().grouping), weight=0.5, specific=2)
def the_input_gradient_composes_kernels(p: Problem, ask: Ask) -> Claim:
    """conv(conv(x, g), f) = conv(x, h) with h = dgrad(f, g): no flip, and in groups too."""
    c = chain(p)
    x, g, f = _operands(p, c)
    step = _times(c.second.dilation, c.first.stride)
    inner = replace(c.first, batch=len(f), extent=c.both.kernel, stride=step, padding=())
    return _composes(ask, c, (x, g, f), ask(inner, "dgrad", {"gy": f, "w": g}))


@law(replace(_ROW, transposed=(True,)), weight=0.5, specific=2)
def transposed_in_a_row_are_one(p: Problem, ask: Ask) -> Claim:
    """Two transposed convolutions in a row are one, whose kernel is the second one of the first's kernel."""
    c = chain(p)
    x, g, f = _operands(p, c)
    step = _times(c.first.dilation, c.second.stride)
    inner = replace(c.second, batch=len(g), extent=c.first.kernel, stride=step)
    return _composes(ask, c, (x, g, f), ask(inner, "fprop", {"x": g, "w": f}))


def circle(p: Problem) -> ConvSpec:
    """One channel, circular padding and stride 1, as many results as inputs: small, as each input has an impulse."""
    kernel, dilation = tuple(min(r, 3) for r in p.spec.kernel), tuple(min(d, 2) for d in p.spec.dilation)
    extent = tuple(min(max(n, 3), 6) for n in p.spec.extent)
    reach = [d * (r - 1) for r, d in zip(kernel, dilation, strict=True)]
    return ConvSpec(
        batch=int(np.prod(extent)),
        extent=extent,
        kernel=kernel,
        dilation=dilation,
        padding=tuple((n // 2, n - n // 2) for n in reach),
        padding_mode="circular",
    )


def _waved(a: np.ndarray, extent: tuple[int, ...]) -> np.ndarray:
    """sum_j a[j, ...] exp(2 pi i j k / n) for each wave k; `a` is flat in j, so is the result in k."""
    grid = a.reshape(*extent, *a.shape[1:])
    return np.fft.ifftn(grid, axes=tuple(range(len(extent))), norm="forward").reshape(a.shape)


def _on_circle(spec: ConvSpec, w: np.ndarray) -> np.ndarray:
    """The kernel's taps where they meet an input at 0, flat: taps that go round meet again."""
    circle = np.zeros(spec.extent)
    axes = zip(spec.kernel, spec.dilation, spec.sides, spec.extent, strict=True)
    np.add.at(circle, np.ix_(*((np.arange(r) * d - low) % n for r, d, (low, _), n in axes)), w[0, 0].astype(np.float64))
    return circle.ravel()


@law(
    replace(_ROW, dtypes=Scope().dtypes, grouping=Scope().grouping, padding_mode=("circular",)),
    weight=0.5,
    specific=2,
)
def waves_are_eigenvectors(p: Problem, ask: Ask) -> list[Claim]:
    """A circular convolution scales each wave by the Fourier transform of its kernel."""
    spec = circle(p)
    n, w = spec.images, _small(p, "w", spec.w_shape)
    responses = ask(spec, "fprop", {"x": np.eye(n, dtype=p.format.dtype).reshape(spec.x_shape), "w": w})
    left = _waved(responses.value.astype(np.float64).reshape(n, n), spec.extent)
    right = _waved(_on_circle(spec, w), spec.extent)[:, None] * _waved(np.eye(n), spec.extent)
    # n eps |w|_1 for each of three transforms of at most n terms (a direct sum's bound, an FFT's is
    # smaller) and their product, and what the n responses that a wave sums may be off
    own = 4 * n * 2.0**-52 * np.abs(w).sum(dtype=np.float64)
    bound = np.broadcast_to(responses.bound.reshape(n, n).sum(0) * SAFE + own, (n, n))
    parts = (("cosine", left.real, right.real), ("sine", left.imag, right.imag))
    return [Claim.equal(Approx(a, bound, f"{says} part"), Approx(b, 0 * bound, "scaled wave")) for says, a, b in parts]
