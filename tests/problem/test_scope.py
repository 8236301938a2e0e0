"""Scope: what it refuses, in which words, and what two of them have in common."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE, WIDE, Scope, matrix_entries
from convlaws.problem.spec import ConvSpec
from convlaws.strategies import problems
from convlaws.targets.registry import rows

REFUSALS = [
    (Scope(ops=("fprop",)), "n1c1k1_x5_r2 wgrad", "the op is wgrad, only fprop is done"),
    (Scope(ndim=(2,)), "n1c1k1_x5_r2", "the number of spatial axes is 1, only 2 is done"),
    (Scope(dtypes=("float32",)), "n1c1k1_x5_r2 float16", "the dtype is float16, only float32 is done"),
    (Scope(layouts=("contiguous",)), "n1c1k1_x5_r2 sliced", "the layout is sliced, only contiguous is done"),
    (Scope(fills=("ones", "normal")), "n1c1k1_x5_r2", "the fill is integers, only ones or normal is done"),
    (Scope(batch=("one", "many")), "uc1k1_x5_r2", "the batch is unbatched, only one or many is done"),
    (Scope(batch=("one",)), "n0c1k1_x5_r2", "the batch is empty, only one is done"),
    (Scope(transposed=(False,)), "n1c1k1_x5_r2_t0", "transposed is yes, only no is done"),
    (Scope(bias=(True,)), "n1c1k1_x5_r2", "bias is no, only yes is done"),
    (Scope(padding=("none",)), "n1c1k1_x5_r2_p1", "the padding is even, only none is done"),
    (Scope(padding=("none",)), "n1c1k1_x5_r2_p0:1", "the padding is uneven, only none is done"),
    (Scope(padding=("even",)), "n1c1k1_x5_r2_psame", "the padding is same, only even is done"),
    (Scope(padding_mode=("zeros",)), "n1c1k1_x5_r2_mreflect", "the padding mode is reflect, only zeros is done"),
    (Scope(output_padding=(False,)), "n1c1k1_x5_r2_s2_t1", "output_padding is yes, only no is done"),
    (Scope(grouping=("one",)), "n1c4k2_x5_r2_g2", "the grouping is some, only one is done"),
    (Scope(grouping=("some",)), "n1c2k2_x5_r2_g2", "the grouping is depthwise, only some is done"),
    (Scope(strided=(False,)), "n1c1k1_x5x5_r2x2_s1x2", "strided is yes, only no is done"),
    (Scope(dilated=(True,)), "n1c1k1_x5_r2", "dilated is no, only yes is done"),
    (Scope(), "n1c1k1_x5_r2_p1:-1", "the padding is negative, only none or even or uneven or same or valid is done"),
    (Scope(padding=("even", "samelower")), "n1c1k1_x5_r2_psameupper", "the padding is sameupper, only even or samelower is done"),
    (Scope(), "n1c1k1_x5x5_r2x2_i1x2", "input dilation is yes, only no is done"),
    (
        Scope(),
        "n1c1k1_x8x5_r3x3_p1x1_d1x4",
        "axis 1: the kernel reaches over 9, the padded input has 7: an empty input or result is not done",
    ),
    (Scope(), "n1c1k1_x0_r1_p1", "axis 0: the input has no elements: an empty input or result is not done"),
    (Scope(**WIDE | {"empty": (True,)}), "n1c1k1_x5_r2", "an empty input or result is no, only yes is done"),
    (Scope(kernel=(3, 5)), "n1c1k1_x5x5_r3x2", "the kernel is 2 on axis 1, only 3 or 5 is done"),
    (Scope(stride=(1,)), "n1c1k1_x5_r2_s2", "the stride is 2 on axis 0, only 1 is done"),
    (Scope(dilation=(1,)), "n1c1k1_x5_r2_d2", "the dilation is 2 on axis 0, only 1 is done"),
    (Scope(channels=(2, 0)), "n1c6k2_x5_r2_g2", "a group has 3 input channels, at most 2 are done"),
    (Scope(channels=(0, 2)), "n1c1k3_x5_r2", "a group has 3 output channels, at most 2 are done"),
    (Scope(macs=1000), "n1c8k16_x5_r2", "1,024 multiply-adds are over the limit of 1,000"),
    (Scope(macs=1000, batch=("empty",), empty=(False, True)), "n0c8k16_x5_r2", "1,024 multiply-adds are over the limit of 1,000"),
    (Scope(matrix=1000), "n1c8k7_x5_r1", "the matrix would have 1,400 entries, over 1,000"),
    (Scope(ops=()), "n1c1k1_x5_r2", "the op is fprop, only nothing is done"),
]


@pytest.mark.parametrize(("scope", "line", "sentence"), REFUSALS)
def test_a_refusal_says_what_is_done(scope, line, sentence):
    problem = Problem.parse(line)

    refusal = scope.refuses(problem)

    assert refusal == sentence


@pytest.mark.parametrize("scope", [scope for scope, _, _ in REFUSALS if scope.ops])
def test_what_is_refused_by_one_is_accepted_by_another(scope):
    refused = [Problem.parse(line) for _, line, _ in REFUSALS if scope.refuses(Problem.parse(line))]

    assert refused
    assert [WHOLE.refuses(problem) for problem in refused] == [None] * len(refused)


def test_the_matrix_is_counted_over_the_padded_input():
    spec = ConvSpec.parse("n3c2k3_x5_r3_s2_p1")

    assert matrix_entries(spec) == (3 * 3) * (2 * 7)


LIMITED = [scope for scope, _, _ in REFUSALS]


@settings(derandomize=True, database=None, deadline=None, max_examples=400)
@given(problem=problems(WHOLE), one=st.sampled_from(LIMITED), other=st.sampled_from(LIMITED))
def test_two_scopes_meet_in_what_both_accept(problem, one, other):
    both = one.refuses(problem) is None and other.refuses(problem) is None

    met = one.meet(other)

    assert (met is not None and met.refuses(problem) is None) is both


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Scope(ops=("fprop",)), Scope(ops=("dgrad",))),
        (Scope(kernel=(3,)), Scope(kernel=(5,))),
        (Scope(strided=(True,)), Scope(strided=(False,))),
    ],
)
def test_scopes_with_nothing_in_common_do_not_meet(one, other):
    assert one.meet(other) is None


def test_the_smaller_limit_holds_where_scopes_meet():
    met = Scope(macs=100, channels=(4, 0)).meet(Scope(macs=20, matrix=7, channels=(0, 3)))

    assert met == Scope(macs=20, matrix=7, channels=(4, 3))


ROWS = rows("method", "engine", "cuda", "mutant", "healthy")


@pytest.mark.parametrize("row", [row.name for row in ROWS if not row.scope.beyond()])
def test_a_row_that_says_nothing_of_it_has_the_ordinary_ground_only(row):
    scope = next(r.scope for r in ROWS if r.name == row)
    lines = ["n1c1k1_x5_r2_p-1", "n1c1k1_x5_r2_i2", "n1c1k1_x5_r2_s2_psameupper", "n1c1k1_x5_r2_psamelower", "n1c1k1_x1_r2"]

    refused = {line for line in lines for n in (1, 2, 3) if scope.refuses(Problem.parse(_in_axes(line, n)))}

    assert refused == set(lines)


def _in_axes(line, n):
    """The line with each of its spatial fields in n axes."""
    parts = line.split("_")
    return "_".join(p if "same" in p or p[0] == "n" else p[0] + "x".join([p[1:]] * n) for p in parts)


@pytest.mark.parametrize(
    ("scope", "narrower", "wider"),
    [
        (Scope(), "", ""),
        (WHOLE, "", "the padding sameupper or samelower or negative, input dilation, an empty input or result"),
        (Scope(padding=("none", "negative")), "padding none or negative", "the padding negative"),
        (Scope(input_dilated=(False, True), ndim=(1,)), "ndim 1", "input dilation"),
        (Scope(channels=(0, 2)), "channels 0 or 2", ""),
    ],
)
def test_a_scope_says_how_it_differs_from_the_ordinary_ground(scope, narrower, wider):
    assert (scope.describe(), scope.beyond()) == (narrower, wider)
