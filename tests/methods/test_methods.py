"""Our own methods: each keeps its contract over the space that its scope leaves, and is what its name says."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlaws.methods import base
from convlaws.methods.base import Geometry
from convlaws.methods.indices import places
from convlaws.oracle.claim import Claim, judge
from convlaws.oracle.contracts import CONTRACTS, interval
from convlaws.oracle.oracle import answer
from convlaws.problem.layouts import place
from convlaws.problem.problem import DTYPES, LAYOUTS, Problem
from convlaws.problem.scope import ORDINARY, WIDE, Scope
from convlaws.problem.spec import PADDING_MODES, ConvSpec
from convlaws.strategies import problems
from convlaws.targets import registry

CASES = 170  # of each method: over 3,000 in all, in some 6 s
ROWS = {row.name: row for row in registry.rows("method")}
EVERY = pytest.mark.parametrize("name", ROWS)


def maps_of(name: str):
    module, attribute = ROWS[name].address.split(":")
    return getattr(import_module(module), attribute)


def run(name: str, p: Problem) -> np.ndarray:
    return base.run(maps_of(name), p.spec, p.op, p.operands)


def difference(name: str, p: Problem, got: np.ndarray):
    """The mismatch of `got` with the definition under the contract that the method declares."""
    contract = CONTRACTS[ROWS[name].contract(p.spec, p.op, p.dtype)].applied_to(p.spec, p.op)
    a = answer(p.spec, p.op, p.operands)
    claim = Claim.of_answer(got, a, interval(a, contract, p.format))
    if p.fill == "special" and contract.spreads:  # then only what must be Inf or NaN is known
        must = np.zeros(a.R.shape, bool) if a.nan is None else (a.nan == 2) | (a.infinite != 0)
        ends = np.full(must.shape, np.inf)
        claim = Claim(np.abs(got.astype(np.float64)), ends, ends, nan=np.ones(must.shape, int), free=~must)
    return judge(claim)


# --- specs and problems that a scope accepts, drawn by a seed -----------------------
def draw_axis(rng: random.Random, scope: Scope, transposed: bool, mode: str) -> dict:
    r, s, d = (rng.choice(getattr(scope, n) or (1, 2, 3)) for n in ("kernel", "stride", "dilation"))
    reach, side = d * (r - 1) + 1, (rng.randint(0, 2), rng.randint(0, 2))
    extra = rng.randint(0, max(s, d) - 1) if transposed else 0
    if transposed:
        least = 1 + max(0, sum(side) - reach - extra + s) // s
    else:
        least = max(1, reach - sum(side), max(side) + 1 if mode in ("reflect", "circular") else 1)
    extent = least + rng.choice((0, 0, 1, 2, 3, 5))
    return {"extent": extent, "kernel": r, "stride": s, "padding": side, "dilation": d, "output_padding": extra}


def draw_spec(rng: random.Random, scope: Scope) -> ConvSpec:
    transposed, groups = rng.random() < 0.4, rng.choice((1, 1, 2, 3))
    mode = "zeros" if transposed or rng.random() < 0.5 else rng.choice(PADDING_MODES)
    axes = [draw_axis(rng, scope, transposed, mode) for _ in range(rng.choice(scope.ndim))]
    inner, outer = (groups * rng.randint(1, most or 3) for most in scope.channels)
    return ConvSpec(
        batch=rng.choice((None, 0, 1, 2)),
        in_channels=inner,
        out_channels=outer,
        groups=groups,
        bias=rng.random() < 0.5,
        padding_mode=mode,
        transposed=transposed,
        **{field: tuple(axis[field] for axis in axes) for field in axes[0]},
    )


def draw_problem(rng: random.Random, scope: Scope) -> Problem:
    small = replace(scope, channels=tuple(min(most or 3, 3) for most in scope.channels))
    spec = draw_spec(rng, small)
    ops = [op for op in scope.ops if op != "bgrad" or spec.bias]
    p = Problem(
        spec=spec,
        op=rng.choice(ops),
        dtype=rng.choice(DTYPES),
        fill=rng.choice(scope.fills),
        seed=rng.randrange(1000),
    )
    return p if scope.refuses(p) is None else draw_problem(rng, scope)


def laid_out(p: Problem, layout: str) -> dict[str, np.ndarray]:
    """The operands of `p` as strided, writable views."""
    found = {}
    for role, values in p.operands.items():
        where = place(role, values.shape, layout, batched=p.spec.batch is not None)
        found[role] = where.view(np.full(where.elements, np.nan, values.dtype))
        found[role][...] = values
    return found


# --- every method ----------------------------------------------------------------------
@EVERY
def test_a_method_keeps_its_contract_over_its_whole_scope(name):
    rng = random.Random(f"contract {name}")
    problems = [draw_problem(rng, ROWS[name].scope) for _ in range(CASES)]

    broken = [f"{mismatch}\n{p}" for p in problems if (mismatch := difference(name, p, run(name, p)))]

    assert not broken, "\n".join(broken[:3])


BEYOND = [row for row in ROWS if ROWS[row].scope.beyond()]


def test_methods_that_share_no_code_go_beyond_the_ordinary_ground():
    assert {"loop", "im2col", "scatter"} <= set(BEYOND)


@pytest.mark.parametrize("name", BEYOND)
@pytest.mark.parametrize("field", WIDE)
@settings(max_examples=60)
@given(data=st.data())
def test_a_method_keeps_its_contract_beyond_the_ordinary_ground(name, field, data):
    only = tuple(v for v in WIDE[field] if v not in getattr(ORDINARY, field))
    p = data.draw(problems(replace(ROWS[name].scope, **{field: only}), max_macs=600))

    mismatch = difference(name, p, run(name, p))

    assert mismatch is None, f"{mismatch}\n{p}"


def test_the_sweep_would_notice_a_flipped_kernel():
    class Flipped(maps_of("im2col")):
        @staticmethod
        def gather(g, wide, w):
            return maps_of("im2col").gather(g, wide, w[..., ::-1])

    p = Problem.parse("n2c2k3_x6x7_r3x3_p1x1 normal")

    mismatch = difference("im2col", p, base.run(Flipped, p.spec, p.op, p.operands))

    assert mismatch is not None


@EVERY
def test_a_method_neither_changes_its_operands_nor_returns_their_memory(name):
    rng = random.Random(f"memory {name}")
    for layout in LAYOUTS * 5:
        p = replace(draw_problem(rng, ROWS[name].scope), layout=layout)
        given = laid_out(p, layout)

        got = base.run(maps_of(name), p.spec, p.op, given)

        assert all(np.array_equal(given[role], a, equal_nan=True) for role, a in p.operands.items()), str(p)
        assert not any(np.shares_memory(got, a) for a in given.values()), str(p)
        assert got.flags.owndata, str(p)
        assert got.flags.c_contiguous, str(p)
        assert difference(name, p, got) is None, str(p)


@EVERY
def test_a_result_survives_the_next_call_and_its_own_overwriting(name):
    rng = random.Random(f"twice {name}")
    for _ in range(10):
        p = draw_problem(rng, ROWS[name].scope)

        first = run(name, p)
        kept = first.copy()
        run(name, replace(p, seed=p.seed + 1))
        unchanged = np.array_equal(first, kept, equal_nan=True)
        first[...] = -7
        again = run(name, p)

        assert unchanged, str(p)
        assert np.array_equal(again, kept, equal_nan=True), str(p)


def test_the_table_of_methods_imports_neither_torch_nor_scipy():
    code = (
        "import sys; from convlaws.targets import registry; registry.rows('method'); "
        "sys.exit(bool({'torch', 'scipy'} & set(sys.modules)))"
    )

    ended = subprocess.run([sys.executable, "-c", code], check=False)

    assert ended.returncode == 0


@EVERY
def test_a_method_says_what_it_is_in_one_sentence(name):
    says = ROWS[name].says

    assert says.endswith(".")
    assert len(says) < 110


def test_cached_index_arrays_are_read_only():
    g = Geometry.of(ConvSpec.parse("n1c1k1_x4x4_r2x2"))

    with pytest.raises(ValueError, match="read-only"):
        places(g)[0, 0] = 1


# --- what a scope refuses --------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "line", "sentence"),
    [
        ("toeplitz", "n1c1k1_x4_r2 special", "the fill is special"),
        ("circulant", "n1c64k64_x32x32_r3x3", "the matrix would have"),
        ("toeplitz-one-channel", "n1c2k2_x4_r2", "a group has 2 input channels, at most 1 are done"),
        ("loop", "n8c16k16_x16x16_r3x3", "multiply-adds are over the limit of 20,000"),
        ("unfold", "n1c1k1_x4x4x4_r2x2x2", "the number of spatial axes is 3"),
        ("winograd2", "n1c1k1_x8x8_r5x5", "the kernel is 5 on axis 0, only 3 is done"),
        ("winograd4", "n1c1k1_x8x8_r3x3_s2x1", "the stride is 2 on axis 0, only 1 is done"),
        ("fft", "n1c1k1_x8_r3 huge", "the fill is huge"),
    ],
)
def test_a_refusal_names_the_value_and_the_rule(name, line, sentence):
    refusal = ROWS[name].scope.refuses(Problem.parse(line))

    assert refusal is not None
    assert sentence in refusal
