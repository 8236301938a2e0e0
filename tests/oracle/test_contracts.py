"""Contracts: each bound is a theorem for its class, is reached, and says something.

What is judged here is computed in this file, in an order or by an algorithm that the class allows.
"""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
import pytest

from convlaws.errors import UnknownName
from convlaws.methods import base
from convlaws.methods.fft import Fft
from convlaws.methods.loop import LoopWindow
from convlaws.methods.winograd import Winograd2, Winograd4, Winograd6
from convlaws.oracle.claim import Claim, judge, ratios
from convlaws.oracle.contracts import CONTRACTS, Interval, contract, interval
from convlaws.oracle.oracle import Answer, answer
from convlaws.problem.formats import FORMATS, TF32, round_to
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.strategies.specs import plan

COUNT = 80  # dot products of one size, kind and dtype
SIZES = (1, 2, 3, 8, 33, 100)
DTYPES = tuple(FORMATS)


# --- dot products as convolutions of one tap --------------------------------------
def _normal(rng, shape):
    return rng.standard_normal(shape)


def _heavy(rng, shape):
    return rng.standard_normal(shape) * np.exp2(rng.uniform(-5, 5, size=shape))


def _cancelling(rng, shape):
    half = rng.standard_normal(shape)
    half[..., shape[-1] // 2 :] = -half[..., : shape[-1] - shape[-1] // 2]
    return half


def _positive(rng, shape):
    return rng.uniform(0.5, 1.0, size=shape)


def _constant(rng, shape):
    return np.full(shape, rng.uniform(0.5, 1.0))


KINDS = (_normal, _heavy, _cancelling, _positive, _constant)


def dots(kind, size: int, dtype: str, seed: int) -> tuple[Answer, np.ndarray, np.ndarray]:
    """The answers of COUNT dot products, and their operands (COUNT, size) and (size,)."""
    rng, fmt = np.random.default_rng([seed, size]), FORMATS[dtype]
    x, w = (round_to(fmt, kind(rng, shape)).astype(fmt.dtype) for shape in ((COUNT, size), (1, size)))
    if kind is _cancelling:
        w = np.ones_like(w)
    spec = ConvSpec(batch=COUNT, in_channels=size, out_channels=1, extent=(1,), kernel=(1,))
    return answer(spec, "fprop", {"x": x[..., None], "w": w[..., None]}), x, w[0]


ALL_DOTS = [(kind, size) for kind in KINDS for size in SIZES]  # 2,400 of each dtype


def within(a: Answer, name: str, dtype: str, got: np.ndarray):
    """The claim that `got` keeps a contract."""
    fmt = FORMATS[dtype]
    return Claim.of_answer(got.reshape(a.R.shape).astype(fmt.dtype), a, interval(a, CONTRACTS[name], fmt))


# --- orders of addition: (COUNT, n) -> (COUNT,), every addition rounded in the dtype ----
def in_a_row(terms: np.ndarray, rng) -> np.ndarray:
    total = terms[:, 0]
    for i in range(1, terms.shape[1]):
        total = total + terms[:, i]
    return total


def reversed_row(terms, rng):
    return in_a_row(terms[:, ::-1], rng)


def shuffled(terms, rng):
    return in_a_row(terms[:, rng.permutation(terms.shape[1])], rng)


def big_first(terms, rng):
    return in_a_row(np.take_along_axis(terms, np.argsort(-np.abs(terms), axis=1), axis=1), rng)


def positive_first(terms, rng):
    return in_a_row(np.take_along_axis(terms, np.argsort(-terms, axis=1), axis=1), rng)


def pairwise(terms, rng):
    while terms.shape[1] > 1:
        odd = terms[:, -1:] if terms.shape[1] % 2 else terms[:, :0]
        paired = terms[:, : terms.shape[1] // 2 * 2]
        terms = np.concatenate([paired[:, ::2] + paired[:, 1::2], odd], axis=1)
    return terms[:, 0]


def four_lanes(terms, rng):
    lanes = [in_a_row(terms[:, i::4], rng) for i in range(min(4, terms.shape[1]))]
    return in_a_row(np.stack(lanes, axis=1), rng)


ORDERS = (in_a_row, reversed_row, shuffled, big_first, positive_first, pairwise, four_lanes)


def summed(order, x: np.ndarray, w: np.ndarray, dtype: str, seed: int = 0) -> np.ndarray:
    """The dot products as a plain method computes them: in the accumulator, rounded once."""
    acc = np.float64 if dtype == "float64" else np.float32
    total = order(x.astype(acc) * w.astype(acc), np.random.default_rng(seed))
    return round_to(FORMATS[dtype], total.astype(np.float64))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ORDERS, ids=lambda f: f.__name__)
def test_no_order_of_additions_breaks_plain(order, dtype):
    for seed, (kind, size) in enumerate(ALL_DOTS):
        a, x, w = dots(kind, size, dtype, seed)
        claim = within(a, "plain", dtype, summed(order, x, w, dtype, seed))

        assert judge(claim) is None, f"{kind.__name__} {size}\n{judge(claim)}"
        assert ratios(claim).max(initial=0) <= 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_plain_bound_is_reached(dtype):
    worst = 0.0
    for seed, (kind, size) in enumerate(ALL_DOTS):
        a, x, w = dots(kind, size, dtype, seed)
        found = [ratios(within(a, "plain", dtype, summed(order, x, w, dtype))) for order in (in_a_row, big_first)]
        worst = max(worst, *(float(r.max(initial=0)) for r in found))

    assert worst > 0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_big_first_reaches_the_plain_bound_at_any_length(dtype):
    fmt, size = FORMATS[dtype], 1001
    x = np.full((1, size, 1), fmt.unit).astype(fmt.dtype)  # each is half a unit in the last place of 1: lost
    x[0, 0] = 1
    spec = ConvSpec(in_channels=size, extent=(1,), kernel=(1,))
    a = answer(spec, "fprop", {"x": x, "w": np.ones((1, size, 1), fmt.dtype)})

    claim = within(a, "plain", dtype, in_a_row(x[..., 0], None))

    assert judge(claim) is None
    assert ratios(claim).max() > 0.9


@pytest.mark.parametrize(("dtype", "narrow"), [("float64", np.float32), ("float32", np.float16), ("float16", np.float16)])
def test_a_narrower_accumulator_breaks_plain(dtype, narrow):
    broken = 0
    for seed, (kind, size) in enumerate(ALL_DOTS):
        a, x, w = dots(kind, size, dtype, seed)
        got = in_a_row((x.astype(narrow) * w.astype(narrow)).astype(narrow), None)
        broken += size > 8 and judge(within(a, "plain", dtype, got.astype(np.float64))) is not None

    assert broken == sum(size > 8 for _, size in ALL_DOTS)


# --- the certificate of exactness ---------------------------------------------------
def _whole(rng, size: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = (rng.integers(-(2**b), 2**b + 1, size=s) for b, s in ((bits, (COUNT, size)), (4, (1, size))))
    return np.ldexp(x.astype(np.float32), int(rng.integers(-20, 20))), w.astype(np.float32)


def test_the_certificate_is_given_only_where_every_order_is_exact():
    certified, refused, inexact = 0, 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(1, 60))
        x, w = _whole(rng, size, int(rng.integers(12, 22)))
        spec = ConvSpec(batch=COUNT, in_channels=size, out_channels=1, extent=(1,), kernel=(1,))
        a = answer(spec, "fprop", {"x": x[..., None], "w": w[..., None]})
        given = CONTRACTS["plain"].exact(a, FORMATS["float32"], FORMATS["float32"]).ravel()
        for order in ORDERS:
            exact = summed(order, x, w[0], "float32", seed) == a.R.ravel()
            assert exact[given].all(), f"seed {seed}, {order.__name__}"
            inexact += int((~exact).sum())
        certified, refused = certified + int(given.sum()), refused + int((~given).sum())

    assert min(certified, refused, inexact) > 1000


@pytest.mark.parametrize(
    ("x", "w", "given"),
    [
        ([2.0**24 - 1, 1.0], [1.0, 1.0], True),  # S = 2^24
        ([2.0**24, 1.0], [1.0, 1.0], False),
        ([2.0**-75, 2.0**-75], [2.0**-74, 2.0**-74], True),  # q = 2^-149, the least number
        ([2.0**-75, 2.0**-75], [2.0**-75, 2.0**-75], False),
        ([2.0**100, 2.0**100], [2.0**28, 2.0**28], False),  # overflows
        ([0.0, 0.0], [1.0, 1.0], True),
    ],
)
def test_the_certificate_ends_where_the_accumulator_does(x, w, given):
    spec = ConvSpec(in_channels=2, extent=(1,), kernel=(1,))
    a = answer(spec, "fprop", {r: np.array(v, np.float32).reshape(1, 2, 1) for r, v in (("x", x), ("w", w))})

    found = CONTRACTS["plain"].exact(a, FORMATS["float32"], FORMATS["float32"])

    assert found.ravel().tolist() == [given]


# --- the ends are rounded to the output format -------------------------------------
def _sum_of(dtype: str, terms: list[float], name: str = "plain") -> Interval:
    spec, fmt = ConvSpec(in_channels=len(terms), extent=(1,), kernel=(1,)), FORMATS[dtype]
    x = np.array(terms).astype(fmt.dtype).reshape(1, -1, 1)
    return interval(answer(spec, "fprop", {"x": x, "w": np.ones_like(x)}), CONTRACTS[name], fmt)


@pytest.mark.parametrize(
    ("terms", "result"),
    [
        ([65504.0, 15.0], 65504.0),  # the last that is rounded down
        ([65504.0, 16.0], np.inf),
        ([-65504.0, -16.0], -np.inf),
        ([65504.0, 65504.0, -65504.0], 65504.0),  # float32 has room on the way
        ([2048.0, 1.0], 2048.0),  # a tie, to even
        ([2050.0, 1.0], 2052.0),
        ([2.0**-24, 2.0**-24], 2.0**-23),
    ],
)
def test_exact_sums_are_rounded_to_float16_once(terms, result):
    found = _sum_of("float16", terms)

    assert (float(found.low.item()), float(found.high.item())) == (result, result)
    assert found.free is None


def test_a_product_that_underflows_may_be_rounded_either_way_and_no_further():
    spec, fmt = ConvSpec(extent=(1,), kernel=(1,)), FORMATS["float16"]
    x, w = (np.array(v, np.float16).reshape(1, 1, 1) for v in (3 * 2.0**-24, 0.25))

    found = interval(answer(spec, "fprop", {"x": x, "w": w}), CONTRACTS["plain"], fmt)

    assert (found.low.item(), found.high.item()) == (2.0**-24, 2.0**-24)


def test_where_partial_sums_may_overflow_anything_goes():
    most = FORMATS["float32"].maximum
    free = _sum_of("float32", [most, most, -most])
    strict = _sum_of("float32", [most, 0.0, 0.0])

    assert free.free.all()
    assert strict.free is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormal_results_of_gradual_underflow_keep_plain(dtype):
    fmt = FORMATS[dtype]
    acc = np.float64 if dtype == "float64" else np.float32
    for seed in range(40):
        rng, size = np.random.default_rng(seed), 1 + seed % 9
        x, w = (round_to(fmt, rng.standard_normal((1, size, 1)) * 2.0 ** (fmt.least // 2)).astype(fmt.dtype) for _ in "xw")
        a = answer(ConvSpec(in_channels=size, extent=(1,), kernel=(1,)), "fprop", {"x": x, "w": w})
        got = in_a_row((x.astype(acc) * w.astype(acc))[..., 0], rng)

        assert judge(within(a, "plain", dtype, round_to(fmt, got.astype(np.float64)))) is None


# --- problems for the contracts of algorithms ---------------------------------------
@lru_cache(maxsize=16)
def drawn(scope: Scope, count: int) -> tuple[Problem, ...]:
    """`count` problems of a scope, the same ones in each run."""
    rng = random.Random(7)
    return tuple(
        plan(scope, 20_000).problem(lambda name, table, axis=0: table[rng.randrange(len(table))], seed) for seed in range(count)
    )


DENSE = ("normal", "sparse", "wild", "integers", "onehot", "ones")
SINGLE = Scope(dtypes=("float32",), fills=DENSE, ops=("fprop", "dgrad", "wgrad"))


def verdicts(problems, name: str, compute) -> tuple[float, int]:
    """(worst ratio under the contract, which all problems keep; how many break plain)."""
    worst, plain = 0.0, 0
    for p in problems:
        a = answer(p.spec, p.op, p.operands)
        got = compute(p)
        claim = Claim.of_answer(got, a, interval(a, CONTRACTS[name], p.format))
        mismatch = judge(claim)
        assert mismatch is None, f"{p}\n{mismatch}"
        worst = max(worst, float(ratios(claim).max(initial=0)))
        plain += judge(Claim.of_answer(got, a, interval(a, CONTRACTS["plain"], p.format))) is not None
    return worst, plain


def by(maps):
    return lambda p: base.run(maps, p.spec, p.op, p.operands)


def narrowed(fmt):
    """A plain convolution of operands that are rounded to `fmt` first."""

    def compute(p):
        a = {r: v if r == "b" else round_to(fmt, v).astype(v.dtype) for r, v in p.operands.items()}
        return base.run(LoopWindow, p.spec, p.op, a)

    return compute


@pytest.mark.parametrize(("name", "fmt"), [("tf32", TF32), ("bf16", FORMATS["bfloat16"])])
def test_rounded_operands_keep_their_contract_and_break_plain(name, fmt):
    worst, plain = verdicts(drawn(SINGLE, 200), name, narrowed(fmt))

    assert worst > 0.3
    assert plain > 100


def _three_products(p: Problem) -> np.ndarray:
    b = FORMATS["bfloat16"]
    bias = p.operands.get("b")
    parts = {}
    for role, a in p.operands.items():
        high = round_to(b, a).astype(a.dtype)
        parts[role] = high, round_to(b, a - high).astype(a.dtype)
    one, two = (r for r in parts if r != "b")
    spec = ConvSpec.parse(str(p.spec).replace("_b", ""))
    calls = [base.run(LoopWindow, spec, p.op, {one: parts[one][i], two: parts[two][j]}) for i, j in ((1, 0), (0, 1), (0, 0))]
    total = calls[0] + calls[1] + calls[2]
    return total if bias is None else total + bias.reshape(-1, *(1,) * p.spec.ndim)


def test_three_products_of_bfloat16_parts_keep_their_contract_and_break_plain():
    worst, plain = verdicts(drawn(SINGLE, 200), "bf16x3", _three_products)

    assert worst > 0.1
    assert plain > 20


FLAT = Scope(
    ndim=(2,),
    ops=("fprop", "dgrad"),
    kernel=(3,),
    stride=(1,),
    dilation=(1,),
    dtypes=("float32", "float64"),
    fills=DENSE,
)


@pytest.mark.parametrize(
    ("name", "maps", "least"),
    [
        ("winograd2", Winograd2, 0.05),
        ("winograd4", Winograd4, 0.03),
        ("winograd2-any", Winograd2, 0.0),
        ("winograd4-any", Winograd4, 0.0),
        ("winograd6", Winograd6, 0.01),
        ("winograd6-any", Winograd6, 0.0),
    ],
)  # fmt: skip
def test_winograd_keeps_its_contract_and_breaks_plain(name, maps, least):
    worst, plain = verdicts(drawn(FLAT, 200), name, by(maps))

    assert worst > least
    assert plain > 20


def test_fft_keeps_its_contract_and_breaks_plain():
    scope = Scope(dtypes=("float32", "float64"), fills=DENSE, ops=("fprop", "dgrad", "wgrad"))

    worst, plain = verdicts(drawn(scope, 200), "fft", by(Fft))

    assert worst > 0.001
    assert plain > 20


# --- tensor cores ------------------------------------------------------------------
def truncated(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    return np.trunc(values / grid) * grid


def _grid(values: np.ndarray) -> np.ndarray:
    """The unit in the last place of float32 of each value."""
    return np.ldexp(1.0, np.maximum(np.frexp(np.where(values == 0, 2.0**-126, values))[1] - 24, -149))


def by_blocks(terms: np.ndarray, block: int = 4) -> np.ndarray:
    """(COUNT, n) -> (COUNT,): the sum and `block` products are aligned to the largest, cut off, added, cut off."""
    total = np.zeros(len(terms))
    for start in range(0, terms.shape[1], block):
        addends = np.concatenate([total[:, None], terms[:, start : start + block]], axis=1)
        grid = _grid(np.abs(addends).max(axis=1))
        total = truncated(addends, grid[:, None]).sum(axis=1)
        total = truncated(total, _grid(np.abs(total)))
    return total


@pytest.mark.parametrize("block", [1, 4, 8])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_truncating_blocks_keep_the_contract_of_tensor_cores(dtype, block):
    for seed, (kind, size) in enumerate(ALL_DOTS):
        a, x, w = dots(kind, size, dtype, seed)
        total = by_blocks(x.astype(np.float64) * w.astype(np.float64), block)
        claim = within(a, "tensor-core", dtype, round_to(FORMATS[dtype], total))

        assert judge(claim) is None, f"{kind.__name__} {size}\n{judge(claim)}"


def test_truncating_blocks_break_plain_where_float32_is_stored():
    broken, worst = 0, 0.0
    for seed, (kind, size) in enumerate(ALL_DOTS):
        a, x, w = dots(kind, size, "float16", seed)
        wide = answer(a.spec, a.op, {r: v.astype(np.float32) for r, v in a.operands.items()})
        total = by_blocks(x.astype(np.float64) * w.astype(np.float64))
        claim = within(wide, "tensor-core", "float32", total)
        assert judge(claim) is None, f"{kind.__name__} {size}\n{judge(claim)}"
        worst = max(worst, float(ratios(claim).max(initial=0)))
        broken += judge(within(wide, "plain", "float32", total)) is not None

    assert worst > 0.2
    assert broken > 0


# --- partial results in storage -----------------------------------------------------
def stored(p: Problem) -> np.ndarray:
    """A weight gradient that reads and writes its sum in the storage format, an image at a time."""
    spec = ConvSpec.parse("n1" + str(p.spec).removeprefix(f"n{p.spec.batch}"))
    total = np.zeros(spec.w_shape, p.format.dtype)
    for image in range(p.spec.images):
        one = {r: a[image : image + 1].astype(np.float32) for r, a in p.operands.items()}
        part = base.run(LoopWindow, spec, "wgrad", one)
        total = round_to(p.format, total.astype(np.float64) + part).astype(p.format.dtype)
    return total


def test_sums_kept_in_storage_keep_their_contract_and_break_plain():
    scope = Scope(dtypes=("float16", "bfloat16"), ops=("wgrad",), batch=("many",), fills=("normal", "sparse", "onehot"))

    worst, plain = verdicts(drawn(scope, 200), "storage", stored)

    assert worst > 0.3
    assert plain > 50


# --- where bounds once were no theorems ----------------------------------------------
def _one_product(x: float, w: float) -> Answer:
    spec = ConvSpec(extent=(1,), kernel=(1,))
    return answer(spec, "fprop", {r: np.array(v, np.float32).reshape(1, 1, 1) for r, v in (("x", x), ("w", w))})


@pytest.mark.parametrize(("name", "fmt", "bit"), [("bf16", FORMATS["bfloat16"], 5), ("tf32", TF32, 8)])
def test_a_subnormal_operand_is_rounded_to_what_its_format_has_there(name, fmt, bit):
    a = _one_product(2.0**-130 * (1 + 2.0**-bit), 2.0**100)

    got = round_to(fmt, a.operands["x"]) * 2.0**100

    assert judge(within(a, name, "float32", got)) is None


def test_the_second_of_two_bfloat16_parts_may_be_subnormal():
    a, b = _one_product(2.0**-125 * (1 + 2.0**-9 + 2.0**-10), 2.0**100), FORMATS["bfloat16"]
    high = round_to(b, a.operands["x"])

    got = (high + round_to(b, a.operands["x"] - high)) * 2.0**100

    assert judge(within(a, "bf16x3", "float32", got)) is None


def test_partial_results_in_storage_may_overflow_where_their_sum_does_not():
    x = np.float16([91.0625, 72.75, 75.4375, 76.0, 123.375, 98.75, 101.9375, 71.3125]).reshape(8, 1, 1)
    gy = np.float16([91.125, 72.75, 75.4375, 75.9375, 123.375, 98.75, 101.9375, 71.3125]).reshape(8, 1, 1)
    p = Problem.parse("n8c1k1_x1_r1 wgrad float16")
    p.__dict__["operands"] = {"x": x, "gy": gy}
    a = answer(p.spec, "wgrad", p.operands)

    got = stored(p)

    assert a.S.max() < p.format.maximum
    assert np.isinf(got).all()
    assert judge(within(a, "storage", "float16", got)) is None


@pytest.mark.parametrize(("x", "w"), [(-149, 0), (20, -149), (40, -146), (0, -140)])
@pytest.mark.parametrize(
    ("name", "maps"),
    [("winograd2", Winograd2), ("winograd2-any", Winograd2), ("winograd4", Winograd4), ("winograd6", Winograd6)],
)
def test_subnormal_operands_of_winograd_keep_its_contract(name, maps, x, w):
    for seed in range(20):
        rng, spec = np.random.default_rng(seed), ConvSpec.parse("n1c2k1_x6x6_r3x3_s1x1_p0x0_d1x1")
        shapes = {"x": (spec.x_shape, x), "w": (spec.w_shape, w)}
        a = {r: np.ldexp(rng.integers(-7, 8, size=s).astype(np.float32), e) for r, (s, e) in shapes.items()}
        got = base.run(maps, spec, "fprop", a)

        assert judge(within(answer(spec, "fprop", a), name, "float32", got)) is None


def test_winograd_sums_the_copies_that_a_padding_mode_made():
    spec = ConvSpec.parse("n1c1k1_x1x1_r3x3_p8x8_mreplicate")
    a = {"gy": np.full(spec.y_shape, 1.1, np.float32), "w": np.full(spec.w_shape, 1.3, np.float32)}
    got = base.run(Winograd2, spec, "dgrad", a)

    for name in ("winograd2", "winograd2-any"):
        assert judge(within(answer(spec, "dgrad", a), name, "float32", got)) is None


def test_a_transform_brings_its_roundings_to_results_of_no_terms():
    p = Problem.parse("n1c1k1_x9_r3_p4 float32 normal")
    a = answer(p.spec, p.op, p.operands)

    uncertified = interval(a, CONTRACTS["fft"], p.format, certify=False)

    assert (a.n == 0).any()
    assert (uncertified.high > uncertified.low)[a.n == 0].all()


# --- the table -----------------------------------------------------------------------
def test_an_unknown_contract_is_named_with_those_that_exist():
    with pytest.raises(UnknownName, match="no contract 'exact'; there are plain, ftz"):
        contract("exact")


@pytest.mark.parametrize("name", ["tf32", "bf16x3", "fft", "winograd4", "tensor-core"])
def test_a_bias_gradient_is_a_plain_sum(name):
    spec = ConvSpec.parse("n2c2k2_x5x5_r3x3_b")

    assert CONTRACTS[name].applied_to(spec, "bgrad").name == "plain"


@pytest.mark.parametrize("text", ["n1c1k1_x5x5_r3x3_s2x1", "n1c1k1_x9x9_r3x3_s1x1_p0_d2x1", "n1c1k1_x5_r3", "n1c1k1_x5x5_r3x2"])
def test_winograd_is_plain_where_it_has_no_meaning(text):
    spec = ConvSpec.parse(text.replace("_p0", "_p0x0"))

    assert CONTRACTS["winograd2"].applied_to(spec, "fprop").name == "plain"
