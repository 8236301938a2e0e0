"""JAX on the CPU, in children of its own: judged by the oracle, and seen to be judged."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from convlaws.compare import Claim, judge
from convlaws.contracts import contract, interval
from convlaws.engines import jax_cpu
from convlaws.engines.host import target_of
from convlaws.methods.registry import get
from convlaws.oracle import answer
from convlaws.problem import OPS, Problem
from convlaws.request import Ending, Request
from convlaws.sandbox.client import Sandbox
from convlaws.spec import ConvSpec

ROWS = ("jax", "jax-eager", "jax-hasty", "jax-channels-last", "jax-eigen", "jax-bias", "jax-transpose")

pytestmark = pytest.mark.skipif(not jax_cpu.PACKAGE.installed, reason="jax is not installed")


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox()
    yield made
    made.close()


def request(problem: Problem, **more) -> Request:
    words = {"spec": problem.spec, "op": problem.op, "dtype": problem.dtype, "layout": problem.layout}
    return Request(**words, operands=problem.operands, **more)


def mismatch(row, problem, got):
    found = answer(problem.spec, problem.op, problem.operands)
    declared = contract(row.contract(problem.spec, problem.op, problem.dtype))
    return judge(Claim.of_answer(got, found, interval(found, declared, problem.format)))


def problem_for(row, rng: random.Random) -> Problem:
    """A small grouped, strided, dilated, unevenly padded problem within the row's scope, in one or two dimensions."""
    scope = row.scope
    ndim, groups = rng.choice((1, 2)), rng.choice((1, 2)) if "some" in scope.grouping else 1
    pads = tuple((rng.randint(0, 1), rng.randint(0, 2)) for _ in range(ndim))
    spec = ConvSpec(
        batch=2,
        in_channels=2 * groups,
        out_channels=3 * groups,
        extent=(6, 5)[:ndim],
        kernel=(3, 2)[:ndim],
        stride=tuple(rng.choice((1, 2)) for _ in range(ndim)),
        dilation=tuple(rng.choice((1, 2)) for _ in range(ndim)),
        padding=pads,
        groups=groups,
        bias=scope.bias == (True,),
        transposed=scope.transposed == (True,),
    )
    dtype = rng.choice(("float32", "float64", "float16", "bfloat16"))
    return Problem(spec=spec, op=rng.choice(scope.ops), dtype=dtype, layout=rng.choice(scope.layouts), seed=rng.randrange(99))


@pytest.mark.parametrize("name", ROWS)
def test_answers_keep_the_declared_contract(name, sandbox):
    row, rng = get(name), random.Random(name)
    broken, judged = {}, Counter()

    for _ in range(6):
        problem = problem_for(row, rng)
        reply = sandbox.call(target_of(row), request(problem))
        judged[reply.ending] += 1
        if reply.ending != Ending.ANSWERED or (found := mismatch(row, problem, reply.output)):
            broken[str(problem)] = reply.message or str(found)

    assert broken == {}
    assert judged == {Ending.ANSWERED: 6}


@pytest.mark.parametrize("op", OPS)
def test_a_forgotten_dilation_would_be_seen(op, sandbox):
    row = get("jax-bias")
    right = Problem.parse("n2c2k3_x6x5_r3x2_s1x1_p1x1_d2x1_g1_b " + op)
    wrong = Problem(spec=replace(right.spec, dilation=(1, 1), padding=((0, 0), (1, 1))), op=op)
    assert wrong.spec.output == right.spec.output

    reply = sandbox.call(target_of(row), Request(spec=wrong.spec, op=op, dtype="float32", operands=right.operands))

    assert reply.ending == Ending.ANSWERED
    # a bias gradient knows no dilation
    assert (mismatch(row, right, reply.output) is None) == (op == "bgrad")


def test_the_second_derivative_by_gy_is_the_two_first_ones_together(sandbox):
    first = Problem.parse("n1c2k3_x5x4_r3x2_s2x1_p1:0x1:1_d1x1_g1 fprop float64")
    arrays = {"x": first.draw("x"), "w": first.draw("w"), "gy": first.draw("y", tag="gy")}
    moves = {"v": first.draw("x", tag="v"), "u": first.draw("w", tag="u")}
    row = target_of(get("jax"))

    both = sandbox.call(row, Request(spec=first.spec, op="second_gy", dtype="float64", operands={**arrays, **moves}))
    parts = [
        sandbox.call(row, Request(spec=first.spec, op="fprop", dtype="float64", operands=pair)).output
        for pair in ({"x": moves["v"], "w": arrays["w"]}, {"x": arrays["x"], "w": moves["u"]})
    ]

    assert np.array_equal(both.output, parts[0] + parts[1])  # integers: every sum is exact


@pytest.mark.parametrize(("name", "ran"), [("jax", "YNNPACK"), ("jax-hasty", "YNNPACK"), ("jax-eigen", "XLA")])
def test_who_computes_is_named(name, ran, sandbox):
    many_channels = Problem.parse("n1c32k32_x4x4_r3x3_p1x1")

    reply = sandbox.call(target_of(get(name)), request(many_channels, note=True))

    assert reply.ran == ran


def test_an_abort_in_the_compiler_costs_one_child(sandbox):
    # XLA 0.10.2 aborts on it; a release that does not answers rightly
    aborting = Problem.parse("n1c1k1_x4x4_r2x4_s2x2_p1x1_d1x1_g1 dgrad")
    row = get("jax-hasty")

    first = sandbox.call(target_of(row), request(aborting))
    second = sandbox.call(target_of(row), request(Problem.parse("n1c1k1_x4_r2")))

    assert first.ending == Ending.DIED or mismatch(row, aborting, first.output) is None
    assert second.ending == Ending.ANSWERED


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("n1c1k1_x4_r2_b", "bias"),
        ("n1c1k1_x4_r2_t0", "transposed"),
    ],
)
def test_what_lax_has_no_argument_for_is_out_of_scope(line, why):
    sentence = get("jax").scope.refuses(Problem.parse(line))

    assert sentence is not None
    assert why in sentence
