"""JAX on the CPU, in children of its own."""

import random

import pytest
from engines_in_sandbox import unsettled

from convlaws.engines import jax_cpu
from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending, Request
from convlaws.problem.spec import ConvSpec
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.registry import get, target_of

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
def test_what_is_in_a_rows_scope_is_settled(name, sandbox):
    row, rng = get(name), random.Random(name)

    assert unsettled(sandbox, row, [problem_for(row, rng) for _ in range(6)]) == {}


@pytest.mark.parametrize("name", ["jax", "jax-hasty", "jax-eigen"])
def test_who_computes_is_named(name, sandbox):
    many_channels = Problem.parse("n1c32k32_x4x4_r3x3_p1x1")

    reply = sandbox.call(target_of(get(name)), request(many_channels, note=True))

    assert reply.ran in ("YNNPACK", "XLA") or reply.ending is not Ending.ANSWERED


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
