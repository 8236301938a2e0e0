"""Shared by the tests of laws: a right method, an Ask without a sandbox, and problems of a scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from convlaws.errors import SpecError
from convlaws.laws.registry import Law
from convlaws.methods.base import run
from convlaws.oracle.claim import Approx, shape_error
from convlaws.oracle.contracts import CONTRACTS, Interval, interval
from convlaws.oracle.oracle import Answer, answer
from convlaws.problem.layouts import place
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.problem.request import Ending, Reply
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec


# --- a right method ----------------------------------------------------------------
class Taps:
    """The maps of a right method: one product of channels per tap."""

    @staticmethod
    def _each(g, wide):
        for tap in product(*map(range, g.kernel)):
            axes = zip(tap, g.dilation, g.stride, g.narrow, strict=True)
            yield (..., *tap), wide[(..., *(slice(t * d, t * d + s * (n - 1) + 1, s) for t, d, s, n in axes))]

    @staticmethod
    def _blocks(g, a):
        return a.reshape(len(a), g.groups, a.shape[1] // g.groups, *a.shape[2:])

    @staticmethod
    def gather(g, wide, w):
        total = np.zeros((len(wide), g.rows, *g.narrow), wide.dtype)
        for tap, part in Taps._each(g, wide):
            kernel = w[tap].reshape(g.groups, -1, w.shape[1])
            total += np.einsum("grc,ngc...->ngr...", kernel, Taps._blocks(g, part)).reshape(total.shape)
        return total

    @staticmethod
    def scatter(g, narrow, w):
        total = np.zeros((len(narrow), g.columns, *g.wide), narrow.dtype)
        for tap, part in Taps._each(g, total):
            kernel = w[tap].reshape(g.groups, -1, w.shape[1])
            part += np.einsum("grc,ngr...->ngc...", kernel, Taps._blocks(g, narrow)).reshape(part.shape)
        return total

    @staticmethod
    def weigh(g, wide, narrow):
        total = np.zeros((g.rows, g.columns // g.groups, *g.kernel), wide.dtype)
        rows = Taps._blocks(g, narrow).reshape(len(narrow), g.groups, g.rows // g.groups, -1)
        for tap, part in Taps._each(g, wide):
            columns = Taps._blocks(g, part).reshape(len(part), g.groups, g.columns // g.groups, -1)
            total[tap] = np.einsum("ngcp,ngrp->grc", columns, rows).reshape(total[tap].shape)
        return total


def right(spec: ConvSpec, op: str, a: dict[str, np.ndarray], threads: int = 1) -> np.ndarray:
    """Return the right result of any of the four ops and the second derivatives."""
    bare = replace(spec, bias=False)
    table: dict[str, Callable[[], np.ndarray]] = {
        "second_x": lambda: run(Taps, bare, "dgrad", {"gy": a["gy"], "w": a["u"]}),
        "second_w": lambda: run(Taps, bare, "wgrad", {"x": a["v"], "gy": a["gy"]}),
        "second_gy": lambda: (
            run(Taps, bare, "fprop", {"x": a["v"], "w": a["w"]}) + run(Taps, bare, "fprop", {"x": a["x"], "w": a["u"]})
        ),
    }
    return table[op]() if op in table else run(Taps, spec, op, a)


# --- an Ask within the process -------------------------------------------------------
@dataclass
class InProcess:
    """Ask that calls a function on guarded memory and holds it to the plain contract."""

    method: Callable[..., np.ndarray]
    problem: Problem
    peers: tuple[str, ...] = ()
    last: list[np.ndarray] = field(default_factory=list)

    def reply(self, spec: ConvSpec, op: str, operands: Mapping[str, np.ndarray], **how) -> Reply:
        layout, shift = how.get("layout", self.problem.layout), how.get("shift", 0)
        fill = {"nan": np.nan, "zero": 0.0}[how.get("guard", "nan")]
        buffers, views = {}, {}
        for role, a in operands.items():
            assert a.dtype == self.problem.format.dtype
            where = place(role, a.shape, layout, batched=spec.batch is not None, shift=shift)
            buffers[role] = np.full(where.elements, fill, a.dtype)
            strides = tuple(n * a.itemsize for n in where.strides)
            views[role] = np.ndarray(a.shape, a.dtype, buffers[role], where.offset * a.itemsize, strides)
            views[role][...] = a
            assert np.array_equal(views[role], a, equal_nan=True), f"{role} is not the same for all images"
        before = {role: b.tobytes() for role, b in buffers.items()}
        kept = [a.tobytes() for a in self.last]
        output = self.method(spec, op, views, how.get("threads", 1))
        stale = any(a.tobytes() != bits for a, bits in zip(self.last, kept, strict=True))
        self.last = [output]
        role = {"second_x": "x", "second_w": "w", "second_gy": "gy"}.get(op) or RESULT[op]
        assert shape_error(output, shape_of(spec, role), self.problem.dtype) is None
        touched = tuple(r for r, b in buffers.items() if b.tobytes() != before[r])
        aliased = any(np.shares_memory(output, b) for b in buffers.values())
        return Reply(ending=Ending.ANSWERED, output=output.copy(), touched=touched, aliased=aliased, stale=stale)

    def definition(self, spec: ConvSpec, op: str, operands: Mapping[str, np.ndarray]) -> tuple[Answer, Interval]:
        bare, fmt = replace(spec, bias=False), self.problem.format
        table = {
            "second_x": [("dgrad", {"gy": "gy", "w": "u"})],
            "second_w": [("wgrad", {"x": "v", "gy": "gy"})],
            "second_gy": [("fprop", {"x": "v", "w": "w"}), ("fprop", {"x": "x", "w": "u"})],
        }
        terms = [answer(bare, o, {r: operands[old] for r, old in names.items()}) for o, names in table[op]]
        ends = [interval(a, CONTRACTS["plain"], fmt) for a in terms]
        if len(terms) == 1:
            return terms[0], ends[0]
        R, S, n = (sum(getattr(a, k) for a in terms) for k in ("R", "S", "n"))
        slack = sum(i.high - i.low for i in ends) + 2 * fmt.unit * S
        return replace(terms[0], R=R, S=S, n=n), Interval(R - slack, R + slack, slack, None)

    def __call__(self, spec: ConvSpec, op: str, operands: Mapping[str, np.ndarray], **how) -> Approx:
        exact = answer(spec, op, operands)
        allowed = interval(exact, CONTRACTS["plain"], self.problem.format)
        with np.errstate(invalid="ignore"):
            bound = np.maximum(allowed.high - exact.R, exact.R - allowed.low)
            # R itself is rounded, and so is this difference
            bound += np.where(bound > 0, exact.n * exact.unit * exact.S + 2.0**-51 * abs(exact.R), 0)
        value = self.reply(spec, op, operands, **how).output.astype(exact.R.dtype)
        return Approx(value, np.where(allowed.free, np.inf, bound) if allowed.free is not None else bound)


# --- problems of a scope ----------------------------------------------------------------
def _pick(rng, values):
    return values[int(rng.integers(len(values)))]


def _spec(rng, scope: Scope) -> ConvSpec:
    ndim = _pick(rng, [n for n in scope.ndim if n < 3 or len(scope.ndim) == 1 or rng.random() < 0.2])
    grouping, transposed = _pick(rng, scope.grouping), _pick(rng, scope.transposed)
    inner, outer = (int(n) for n in rng.integers(1, 4, size=2))
    groups = {"one": 1, "some": 2, "depthwise": max(2, inner)}[grouping]
    inner = {"one": inner, "some": 2 * max(inner, 2), "depthwise": groups}[grouping]
    mode = _pick(rng, scope.padding_mode) if not transposed else "zeros"
    kind = _pick(rng, [k for k in scope.padding if not transposed or k in ("none", "even", "uneven")])
    between = _pick(rng, scope.input_dilated) and not transposed and kind in ("none", "even", "uneven", "negative")
    low = tuple(int(n) for n in rng.integers(0, 3, size=ndim))
    high = tuple(int(n) for n in rng.integers(0, 3, size=ndim))
    sides = {"none": (), "even": tuple(zip(low, low, strict=True)), "uneven": tuple(zip(low, high, strict=True))}
    sides["negative"] = tuple((a - 2, b - 1) for a, b in sides["uneven"])
    batch = {"unbatched": None, "empty": 0, "one": 1, "many": int(rng.integers(2, 5))}[_pick(rng, scope.batch)]
    upto = {name: 4 if _pick(rng, flag) else 2 for name, flag in (("s", scope.strided), ("d", scope.dilated))}
    return ConvSpec(
        batch=batch,
        in_channels=inner,
        out_channels=groups * outer if groups > 1 else outer,
        extent=tuple(int(n) for n in rng.integers(1, 8 if ndim < 3 else 5, size=ndim)),
        kernel=tuple(_pick(rng, scope.kernel or (1, 2, 3, 4)) for _ in range(ndim)),
        stride=tuple(int(n) for n in rng.integers(1, upto["s"], size=ndim)),
        dilation=tuple(int(n) for n in rng.integers(1, upto["d"], size=ndim)),
        padding=sides.get(kind, kind),
        input_dilation=tuple(map(int, rng.integers(1, 4, size=ndim))) if between else (),
        groups=groups,
        bias=_pick(rng, scope.bias),
        padding_mode=mode,
        transposed=transposed,
        output_padding=tuple(map(int, rng.integers(0, 3, size=ndim))) if transposed and rng.random() < 0.6 else (),
    )


def problems(law: Law, count: int, op: str | None = None):
    """Yield `count` problems of the law's scope, the same ones each time."""
    rng, scope, found = np.random.default_rng(7), law.scope, 0
    for seed in range(400 * count):
        try:
            words = {name: _pick(rng, getattr(scope, f"{name}s")) for name in ("dtype", "layout", "fill", "op")}
            problem = Problem(spec=_spec(rng, scope), **{**words, "op": op or words["op"]}, seed=seed)
        except SpecError:
            continue
        if 0 in problem.spec.output and rng.random() < 0.9:
            continue  # only the shape of an empty result can be wrong
        if scope.refuses(problem) is None:
            found += 1
            yield problem
        if found == count:
            return
    raise AssertionError(f"only {found} problems of {law.name}")
