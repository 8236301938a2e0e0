"""Problem: its line, and the numbers that its seed makes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from convlaws.errors import LineError, SpecError
from convlaws.oracle.contracts import contract
from convlaws.oracle.oracle import answer
from convlaws.problem.fills import FILLS
from convlaws.problem.formats import accumulator
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.strategies import problems

steady = settings(derandomize=True, database=None, deadline=None, max_examples=200)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not begin like n1c4k6"),
        ("n1c1k1_x5_r3 float32 float16", "gives the dtype twice"),
        ("n1c1k1_x5_r3 seed=1 seed=2", "gives the seed twice"),
        ("n1c1k1_x5_r3 float8", "'float8' is no word of a problem line; there are fprop, dgrad"),
        ("n1c1k1_x5_r3 seed=x", "'seed=x' is no word"),
        ("n1c1k1_x5_r3 seed=-1", "'seed=-1' is no word"),
    ],
)
def test_a_text_that_is_no_problem_is_refused_with_a_reason(text, reason):
    with pytest.raises(LineError) as caught:
        Problem.parse(text)

    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"op": "forward"}, "op 'forward' is none of fprop, dgrad, wgrad, bgrad"),
        ({"dtype": "int8"}, "dtype 'int8' is none of float64, float32, float16, bfloat16"),
        ({"layout": "NHWC"}, "layout 'NHWC' is none of contiguous"),
        ({"fill": "zeros"}, "fill 'zeros' is none of integers"),
        ({"seed": -1}, "seed is -1, the least is 0"),
        ({"op": "bgrad"}, "bgrad needs a bias, the spec has none, in n1c1k1_x5_r3_s1_p0_d1_g1"),
    ],
)
def test_a_wrong_word_is_named_with_those_that_exist(fields, reason):
    with pytest.raises(SpecError) as caught:
        Problem(spec=ConvSpec(extent=(5,), kernel=(3,)), **fields)

    assert reason in str(caught.value)


def test_words_stand_in_any_order():
    shuffled = Problem.parse("n1c1k1_x5_r3 seed=3 ones wgrad sliced float64")

    assert str(shuffled) == "n1c1k1_x5_r3_s1_p0_d1_g1 wgrad float64 sliced ones seed=3"


@steady
@given(problem=problems())
def test_operands_have_the_shape_and_dtype_of_their_role(problem):
    operands = problem.operands

    assert {role: a.shape for role, a in operands.items()} == {r: shape_of(problem.spec, r) for r in operands}
    assert {a.dtype for a in operands.values()} == {problem.format.dtype}


@steady
@given(problem=problems())
def test_a_line_makes_the_same_bits_each_time(problem):
    again = Problem.parse(str(problem))

    bits = [{role: a.tobytes() for role, a in p.operands.items()} for p in (problem, again)]

    assert bits[0] == bits[1]


@pytest.mark.parametrize("fill", [name for name in FILLS if name != "ones"])
def test_another_seed_or_tag_makes_other_numbers(fill):
    problem = Problem.parse(f"n2c3k3_x9x9_r3x3 {fill} seed=4")

    made = [problem.draw("x"), replace(problem, seed=6).draw("x"), problem.draw("x", tag="2"), problem.draw("w")]

    assert len({a.tobytes() for a in made}) == 4


@steady
@given(problem=problems(Scope(layouts=("expanded",), batch=("many",))))
def test_an_expanded_image_is_the_first_one_repeated(problem):
    images = [a for role, a in problem.operands.items() if role in ("x", "gy")]

    assert images
    for a in images:
        assert a.tobytes() == np.repeat(a[:1], len(a), axis=0).tobytes()


def _answer(problem):
    return answer(problem.spec, problem.op, problem.operands)


@steady
@given(problem=problems(Scope(fills=("integers",))))
def test_every_partial_sum_of_integers_is_exact(problem):
    certificate = contract("plain").exact(_answer(problem), accumulator(problem.format), problem.format)

    assert np.all(certificate)


@steady
@given(problem=problems(Scope(fills=("integers",))))
def test_integers_are_never_zero(problem):
    assert all(a.all() for a in problem.operands.values())


def _single(*ops):
    # an expanded image stands once in each image of the batch, so its impulse does too
    layouts = ("contiguous", "channels_last", "sliced")
    return problems(Scope(ops=ops, fills=("onehot",), bias=(False,), padding_mode=("zeros",), layouts=layouts))


@steady
@given(problem=_single("fprop", "dgrad"))
def test_a_result_of_onehot_is_one_product(problem):
    a = _answer(problem)

    assert np.max(a.n, initial=0) <= 1


@steady
@given(problem=_single("wgrad"))
def test_a_weight_gradient_of_onehot_is_one_product(problem):
    a = _answer(problem)

    assert np.max(a.n, initial=0) <= 1


@steady
@given(problem=problems(Scope(fills=("ones",), padding_mode=("zeros",))))
def test_a_result_of_ones_counts_its_terms(problem):
    a = _answer(problem)

    assert np.array_equal(a.R.astype(float), a.n)


@steady
@given(problem=problems(Scope(fills=tuple(f for f in FILLS if f != "special"))))
def test_only_special_has_numbers_that_are_not_finite(problem):
    assert all(np.isfinite(a.astype(float)).all() for a in problem.operands.values())


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_special_has_such_numbers_and_tiny_has_subnormal_results(dtype):
    special = Problem.parse(f"n1c2k2_x9_r3 {dtype} special seed=2")
    tiny = Problem.parse(f"n2c1k2_x30_r1 {dtype} tiny")

    found = np.concatenate([a.astype(float).ravel() for a in special.operands.values()])
    small = np.abs(_answer(tiny).R.astype(float))

    assert (~np.isfinite(found) | np.signbit(found) & (found == 0)).any()
    assert ((small > 0) & (small < tiny.format.normal)).any()


@steady
@given(problem=problems())
def test_the_answer_has_the_shape_of_the_result(problem):
    a = _answer(problem)

    assert a.R.shape == a.S.shape == shape_of(problem.spec, RESULT[problem.op])
