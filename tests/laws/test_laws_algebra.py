"""Laws of agreement, algebra, symmetry and special values: right methods keep them, wrong ones break them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from convlaws.errors import SpecError
from convlaws.judge.case import Oracle, Outcome, examine
from convlaws.laws import agreement, algebra, special, symmetry
from convlaws.laws.registry import Law, find, laws
from convlaws.methods import base
from convlaws.problem.fills import FILLS
from convlaws.problem.problem import DTYPES, LAYOUTS, OPS, Problem
from convlaws.problem.request import Ending, Reply, Request
from convlaws.problem.spec import PADDING_MODES, ConvSpec
from convlaws.records.finding import Verdict
from convlaws.targets.registry import Method, get

MINE = [row for row in laws() if row.claims.__module__ in {room.__name__ for room in (agreement, algebra, special, symmetry)}]
NAMES = [row.name for row in MINE]
Run = Callable[[ConvSpec, str, dict], np.ndarray]
PEERS = ("loop", "scatter")


# --- random problems --------------------------------------------------------------
def _spec(rng: np.random.Generator) -> ConvSpec:
    ndim, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))

    def each(low, high):
        return tuple(int(n) for n in rng.integers(low, high, size=ndim))

    transposed = bool(rng.integers(0, 3) == 0)
    stride = each(1, 4) if rng.integers(0, 2) else (1,) * ndim
    padding = [
        tuple(zip(each(0, 3), each(0, 3), strict=True)),
        tuple((n, n) for n in each(0, 3)),
        ((0, 0),) * ndim,
        "same",
        "valid",
    ]
    pick = int(rng.integers(0, 3 if transposed else 5))
    return ConvSpec(
        batch=[None, 0, 1, 2, 3, 4][int(rng.integers(0, 6))],
        in_channels=groups * int(rng.integers(1, 4)),
        out_channels=groups * int(rng.integers(1, 4)),
        extent=each(1, [14, 7, 5][ndim - 1]),
        kernel=each(1, 4) if rng.integers(0, 4) else (3,) * ndim,
        stride=stride,
        dilation=each(1, 3) if rng.integers(0, 2) else (1,) * ndim,
        padding=padding[pick],
        groups=groups,
        bias=bool(rng.integers(0, 2)),
        padding_mode="zeros" if transposed or rng.integers(0, 2) else str(rng.choice(PADDING_MODES)),
        transposed=transposed,
        output_padding=tuple(int(rng.integers(0, s)) for s in stride) if transposed and rng.integers(0, 3) == 0 else (),
    )


def problems_of(law: Law, method: Method, count: int, seed: int = 0) -> Iterator[Problem]:
    """`count` random problems that both accept: the same ones each time."""
    rng, found, scope = np.random.default_rng(seed), 0, law.scope.meet(method.scope)
    while scope and found < count:
        words = {"op": OPS, "dtype": DTYPES, "layout": LAYOUTS, "fill": tuple(FILLS)}
        drawn = {name: str(rng.choice([w for w in all_ if w in getattr(scope, f"{name}s")])) for name, all_ in words.items()}
        try:
            p = Problem(spec=_spec(rng), seed=int(rng.integers(0, 10_000)), **drawn)
        except SpecError:
            continue
        if p.spec.macs < 20_000 and not scope.refuses(p):
            found += 1
            yield p


# --- methods that run in this process ---------------------------------------------
class Here:
    """A runner without a sandbox: a row of ours by its name, or a function of a test."""

    time_limit = 1.0

    def __init__(self, run: Run | None = None):
        self._run = run

    def call(self, target: Mapping[str, object], request: Request) -> Reply:
        judged = self._run and target["row"] not in PEERS
        run = self._run if judged else _maps_of(str(target["row"]))
        return Reply(ending=Ending.ANSWERED, output=run(request.spec, request.op, _seen(request)))

    def refresh(self) -> None: ...

    def close(self) -> None: ...


def _seen(request: Request) -> dict[str, np.ndarray]:
    """The operands as a method gets them: under `expanded`, all images are one."""
    if request.layout != "expanded":
        return dict(request.operands)
    return {r: np.repeat(a[-1:], len(a), axis=0) if r in ("x", "gy") and len(a) else a for r, a in request.operands.items()}


def _maps_of(name: str) -> Run:
    module, _, attribute = get(name).address.partition(":")
    return lambda spec, op, a: base.run(getattr(import_module(module), attribute), spec, op, a)


def outcomes(name: str, run: Run | None, method: Method, count: int) -> Iterator[tuple[Problem, Outcome]]:
    (law,), oracle, here = find([name]), Oracle(), Here(run)
    for p in problems_of(law, method, count):
        yield p, examine(method, law, p, here, oracle, peers=PEERS)


# --- right methods ----------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_a_right_method_keeps_the_law_and_mostly_means_something(name):
    method = get("windows")

    found = list(outcomes(name, None, method, 200))

    assert [(str(p), o.message) for p, o in found if o.verdict.bad] == []
    assert sum(o.verdict is Verdict.KEPT for _, o in found) >= 60


SPREADING = [(fast, row.name) for fast in ("fft", "winograd2", "winograd4") for row in MINE if row.scope.meet(get(fast).scope)]


@pytest.mark.parametrize(("fast", "name"), SPREADING)
def test_a_method_that_spreads_keeps_the_law(fast, name):
    found = list(outcomes(name, None, get(fast), 40))

    assert len(found) == 40
    assert [(str(p), o.message) for p, o in found if o.verdict.bad] == []


# --- wrong methods ----------------------------------------------------------------
def right(spec: ConvSpec, op: str, a: dict) -> np.ndarray:
    return _maps_of("windows")(spec, op, a)


def _on(role: str, change: Callable[[np.ndarray], np.ndarray]) -> Run:
    """Right, but for one operand that is changed first."""
    return lambda spec, op, a: right(spec, op, {r: change(v).astype(v.dtype) if r == role else v for r, v in a.items()})


def _after(change: Callable[[ConvSpec, str, dict, np.ndarray], np.ndarray]) -> Run:
    """Right, but for the result, which is changed."""

    def run(spec, op, a):
        y = right(spec, op, a)
        with np.errstate(all="ignore"):
            return change(spec, op, a, y.copy()).astype(y.dtype)

    return run


def _no_bias(spec, op, a):
    return right(replace(spec, bias=spec.bias and op != "fprop"), op, {r: v for r, v in a.items() if r != "b"})


def _half_bias_on_zero(spec, op, a):
    """Leaves the bias out of an image that is all zero: an early way out."""
    return _no_bias(spec, op, a) if "b" in a and not a["x"].any() else right(spec, op, a)


def _squared(v):
    return v * np.abs(v)


def _clipped(spec, op, a, y):
    return np.clip(y.astype(np.float64), -2, 2)


def _position(y):
    """One at the first place along the last axis, zero elsewhere."""
    return (np.arange(y.shape[-1]) == 0) * np.ones(y.shape)


def _first_place_larger(spec, op, a, y):
    return y * (1 + _position(y))


def _first_channel_larger(spec, op, a, y):
    axis = 0 if op in ("wgrad", "bgrad") else y.ndim - spec.ndim - 1
    return y * (1 + np.moveaxis(_position(np.moveaxis(y, axis, -1)), -1, axis))


def _first_image_larger(spec, op, a, y):
    if spec.batch is None or op in ("wgrad", "bgrad"):
        return y
    return y * (1 + (np.arange(len(y)) == 0).reshape(-1, *(1,) * (y.ndim - 1)))


def _first_input_channel_larger(spec, op, a):
    if "x" not in a:
        return _after(_first_channel_larger)(spec, op, a)
    axis = a["x"].ndim - spec.ndim - 1
    more = (np.arange(a["x"].shape[axis]) == 0) + 1
    return right(spec, op, {**a, "x": (a["x"] * more.reshape(-1, *(1,) * spec.ndim)).astype(a["x"].dtype)})


def _upwards(spec, op, a, y):
    return (
        np.nextafter(y, np.full_like(y, np.inf)) if y.dtype in (np.float32, np.float64) else y.astype(np.float32) + np.abs(y) / 64
    )


def _threshold(spec, op, a, y):
    return np.where(np.abs(y.astype(np.float64)) < 0.5, 0, y)


def _by_the_largest(spec, op, a):
    """Operands in fixed point, with one scale for the whole tensor."""

    def fixed(v):
        most = np.abs(v.astype(np.float64)).max(initial=0)
        return (np.rint(v.astype(np.float64) / most * 1024) * most / 1024).astype(v.dtype) if np.isfinite(most) and most else v

    return right(spec, op, {r: fixed(v) for r, v in a.items()})


def _nan_everywhere(spec, op, a, y):
    seen = any(not np.isfinite(v.astype(np.float64)).all() for v in a.values())
    return np.full_like(y, np.nan) if seen else y


def _nan_is_zero(spec, op, a):
    return right(spec, op, {r: np.where(np.isfinite(v.astype(np.float64)), v, np.zeros_like(v)) for r, v in a.items()})


def _minus_zero_is_minus_one(v):
    return np.where((v == 0) & np.signbit(v.astype(np.float64)), -np.ones_like(v), v)


def _flushed(spec, op, a, y):
    least = 2.0 ** {"float16": -14, "float64": -1022}.get(y.dtype.name, -126)
    return np.where(np.abs(y.astype(np.float64)) < least, 0, y)


def _saturated(spec, op, a, y):
    return np.where(np.isinf(y.astype(np.float64)), np.sign(y.astype(np.float64)), y)


MUTANTS: dict[str, Run] = {
    "no bias": _no_bias,
    "no bias on zeros": _half_bias_on_zero,
    "x squared": _on("x", _squared),
    "w squared": _on("w", _squared),
    "gy squared": _on("gy", _squared),
    "clipped": _after(_clipped),
    "first place": _after(_first_place_larger),
    "first channel": _after(_first_channel_larger),
    "first image": _after(_first_image_larger),
    "first input channel": _first_input_channel_larger,
    "upwards": _after(_upwards),
    "threshold": _after(_threshold),
    "fixed point": _by_the_largest,
    "NaN everywhere": _after(_nan_everywhere),
    "NaN is zero": _nan_is_zero,
    "-0 is -1": _on("x", _minus_zero_is_minus_one),
    "flushed": _after(_flushed),
    "saturated": _after(_saturated),
}
BROKEN_BY = {
    "equals-the-definition": "first place",
    "equals-the-other-methods": "first place",
    "additive-in-x": "x squared",
    "additive-in-w": "w squared",
    "additive-in-gy": "gy squared",
    "homogeneous": "clipped",
    "bias-is-added-once": "no bias",
    "zero-input-gives-the-bias": "no bias on zeros",
    "negation-bit-for-bit": "upwards",
    "powers-of-two-bit-for-bit": "threshold",
    "powers-of-two-cancel-in-a-channel": "fixed point",
    "result-channels-scale-on-their-own": "threshold",
    "zeros-before-an-image-shift-the-result": "first place",
    "rolling-a-circular-image-rolls-the-result": "first place",
    "flipping-everything-flips-the-result": "first place",
    "axes-in-another-order": "first place",
    "images-in-another-order": "first image",
    "output-channels-in-another-order": "first channel",
    "input-channels-in-another-order": "first input channel",
    "groups-in-another-order": "first channel",
    "special-values-stay-within-their-receptive-field": "NaN everywhere",
    "nan-weights-spread-to-their-channel-only": "NaN everywhere",
    "signed-zero-is-a-zero": "-0 is -1",
    "subnormals-are-kept": "flushed",
    "overflow-gives-infinity-of-the-right-sign": "saturated",
}


def _breaks(name: str, mutant: str, count: int = 200) -> bool:
    return any(o.verdict is Verdict.BROKEN for _, o in outcomes(name, MUTANTS[mutant], get("windows"), count))


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_method_breaks_the_law(name):
    mutant = BROKEN_BY[name]

    broken = _breaks(name, mutant)

    assert broken, f"{mutant!r} keeps {name}"


def test_the_method_alone_is_named_when_its_peers_agree():
    found = outcomes("equals-the-other-methods", MUTANTS["first place"], get("windows"), 40)

    messages = [o.message for _, o in found if o.verdict is Verdict.BROKEN]

    assert any(m.startswith("this method, alone against loop and scatter,") for m in messages)


def test_a_special_value_that_is_lost_is_seen_though_the_method_may_spread():
    law = "special-values-stay-within-their-receptive-field"

    found = outcomes(law, MUTANTS["NaN is zero"], get("fft"), 40)

    assert any(o.verdict is Verdict.BROKEN for _, o in found)
