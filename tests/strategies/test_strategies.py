"""What is drawn: within its scope, printed faithfully, reaching the corners, and shrinking to little."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from long_tables import sliced

from convlaws.errors import UsageError
from convlaws.problem.axes import axes, multiplier
from convlaws.problem.features import features
from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE, Scope
from convlaws.strategies import conv_specs, problems

steady = settings(derandomize=True, database=None, deadline=None)
few = settings(steady, max_examples=60)

SCOPES = {
    "all": Scope(),
    "forward only": Scope(ops=("fprop",), transposed=(False,)),
    "bias gradient": Scope(ops=("bgrad",)),
    "no bias": Scope(bias=(False,)),
    "transposed": Scope(transposed=(True,)),
    "output padding": Scope(output_padding=(True,)),
    "output padding by stride": Scope(output_padding=(True,), dilated=(False,)),
    "output padding by dilation": Scope(output_padding=(True,), strided=(False,)),
    "output padding of a given stride": Scope(output_padding=(True,), stride=(1, 4), dilation=(1,)),
    "same": Scope(padding=("same",)),
    "same and dilated": Scope(padding=("same",), dilated=(True,), padding_mode=("reflect",)),
    "valid": Scope(padding=("valid",)),
    "uneven": Scope(padding=("uneven",), ndim=(2,)),
    "strided": Scope(strided=(True,)),
    "strided, even or same": Scope(strided=(True,), padding=("even", "same")),
    "circular": Scope(padding_mode=("circular",), padding=("even", "uneven")),
    "reflect": Scope(padding_mode=("reflect",), padding=("uneven",)),
    "depthwise": Scope(grouping=("depthwise",)),
    "some groups": Scope(grouping=("some",)),
    "no batch axis": Scope(batch=("unbatched",), layouts=("expanded", "channels_last")),
    "no image": Scope(batch=("empty",)),
    "Winograd": Scope(kernel=(3,), strided=(False,), dilated=(False,), ndim=(2,), ops=("fprop", "dgrad")),
    "one size": Scope(kernel=(5,), stride=(3,), dilation=(2,)),
    "large kernel": Scope(kernel=(31,), ndim=(1, 2, 3)),
    "few channels": Scope(channels=(2, 1)),
    "one input channel a group": Scope(channels=(1, 0)),
    "few multiply-adds": Scope(macs=8),
    "small matrix": Scope(matrix=64),
    "small matrix in three axes": Scope(matrix=300, ndim=(3,), grouping=("some",), kernel=(1, 2)),
    "cropped": Scope(padding=("negative",)),
    "cropped, dilated, strided": Scope(padding=("negative",), dilated=(True,), strided=(True,), ndim=(3,)),
    "SAME with strides": Scope(padding=("sameupper", "samelower"), strided=(True,)),
    "input dilation": Scope(input_dilated=(True,)),
    "input dilation and cropped": Scope(input_dilated=(True,), padding=("negative",)),
    "empty": Scope(empty=(True,)),
    "empty, of one tap": Scope(empty=(True,), kernel=(1,)),
    "empty, cropped, input dilation": Scope(empty=(True,), padding=("negative",), input_dilated=(True,)),
    "empty, by a word": Scope(empty=(True,), padding=("same", "sameupper", "valid")),
    "everything": WHOLE,
    "everything small": replace(WHOLE, macs=8, matrix=64),
    "half types": Scope(dtypes=("bfloat16", "float16"), fills=("special", "ones")),
}


@settings(steady, max_examples=1000)
@given(problem=problems(WHOLE))
def test_a_drawn_problem_is_its_line(problem):
    line = str(problem)

    parsed = Problem.parse(line)

    assert parsed == problem
    assert str(parsed) == line


@pytest.mark.parametrize("name", sliced(SCOPES, [*SCOPES][::3]))
@few
@given(data=st.data())
def test_what_is_drawn_is_within_the_scope(name, data):
    scope = SCOPES[name]

    problem = data.draw(problems(scope, max_macs=5000))

    assert scope.refuses(problem) is None
    assert problem.spec.macs <= 5000


@pytest.mark.parametrize("name", sliced(SCOPES, [*SCOPES][::3]))
@few
@given(data=st.data())
def test_a_drawn_spec_has_a_problem_within_the_scope(name, data):
    scope = SCOPES[name]

    spec = data.draw(conv_specs(scope))
    refusals = [
        scope.refuses(Problem(spec=spec, op=op, dtype=scope.dtypes[0], layout=scope.layouts[0], fill=scope.fills[0]))
        for op in scope.ops
        if op != "bgrad" or spec.bias
    ]

    assert None in refusals


@few
@given(data=st.data(), limit=st.integers(1, 300))
def test_the_limit_of_multiply_adds_holds(data, limit):
    problem = data.draw(problems(max_macs=limit))

    assert problem.spec.macs <= limit


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (Scope(transposed=(True,), padding=("same",)), "padding 'same' has no meaning for a transposed convolution"),
        (Scope(padding=("same",), strided=(True,)), "axis 0: padding 'same' needs stride 1, this has 2"),
        (Scope(padding_mode=("circular",), transposed=(True,)), "pads with zeros, not circular"),
        (Scope(input_dilated=(True,), transposed=(True,)), "but the stride of a transposed convolution is that already"),
        (Scope(input_dilated=(True,), padding=("same",)), "which needs its padding in numbers, not 'same'"),
        (Scope(padding=("negative",), padding_mode=("reflect",)), "padding is -1, the least of reflect padding is 0"),
        (Scope(padding=("sameupper",), transposed=(True,)), "padding 'sameupper' has no meaning for a transposed"),
        (Scope(empty=(True,), transposed=(True,)), "extent is 0, the least is 1"),
        (Scope(output_padding=(True,), transposed=(False,)), "an output_padding needs a transposed convolution"),
        (Scope(output_padding=(True,), strided=(False,), dilated=(False,)), "with a stride or dilation over 1"),
        (Scope(ops=("bgrad",), bias=(False,)), "bgrad needs a bias, and bias is only no"),
        (Scope(dtypes=()), "its dtypes is empty"),
        (Scope(ndim=()), "its ndim is empty"),
        (Scope(kernel=(1000,), ndim=(2,)), "it takes 1,000,000 multiply-adds at least, over 100,000"),
        (Scope(kernel=(9,), matrix=8), "the matrix would have 9 entries, over 8"),
        (Scope(stride=(2,), strided=(False,)), "the stride is 1 on axis 0, only 2 is done"),
        (Scope(dilation=(1,), dilated=(True,)), "the dilation is 2 on axis 0, only 1 is done"),
        (Scope(channels=(1, 0), grouping=("some",)), "a group has 2 input channels, at most 1 are done"),
    ],
)
def test_a_scope_that_admits_nothing_says_why(scope, reason):
    with pytest.raises(UsageError, match="the scope admits no problem") as caught:
        problems(scope)

    assert reason in str(caught.value)


def test_no_multiply_add_at_all_is_refused():
    with pytest.raises(UsageError, match="max_macs is 0, the least is 1"):
        problems(max_macs=0)


# --- reach --------------------------------------------------------------------------
DRAWS = 3000


def draws(scope):
    """The problems of one run, in the order of drawing."""
    found: list[Problem] = []

    run = settings(database=None, max_examples=DRAWS, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    with pytest.raises(NoSuchExample):  # find and not given: a third of the time
        find(problems(scope), found.append, settings=run, random=Random(0))
    return found


@pytest.fixture(scope="module")
def sample():
    return draws(Scope())


def _tail(p):
    return {axis.tail for axis in axes(p)} - {0}


def _strided(p):
    return max(p.spec.stride) > 1


@pytest.mark.parametrize("name", [name for name, value in features(Problem.parse("n1c1k1_x1_r1")).items()])
def test_each_value_of_each_feature_is_reached(sample, name):
    drawn = {features(p)[name] for p in sample}

    assert drawn == set(getattr(Scope(), name))


def test_most_problems_are_small(sample):
    macs = sorted(p.spec.macs for p in sample)

    assert macs[len(macs) // 2] <= 5000
    assert macs[-1] <= 100_000


# --- what failures shrink to --------------------------------------------------------
PLAIN = "fprop float32 contiguous integers seed=0"
SMALLEST = {
    "anything": (lambda p: True, f"n1c1k1_x1_r1_s1_p0_d1_g1 {PLAIN}"),
    "dilation": (lambda p: max(p.spec.dilation) > 1, f"n1c1k1_x1_r1_s1_p0_d2_g1 {PLAIN}"),
    "groups": (lambda p: p.spec.groups > 1, f"n1c2k2_x1_r1_s1_p0_d1_g2 {PLAIN}"),
    "output padding": (lambda p: any(p.spec.output_padding), f"n1c1k1_x1_r1_s1_p0_d2_g1_t1 {PLAIN}"),
    "unequal kernel": (lambda p: len({*p.spec.kernel}) > 1, f"n1c1k1_x1x2_r1x2_s1x1_p0x0_d1x1_g1 {PLAIN}"),
    "multiplier 2": (lambda p: multiplier(p) == 2, f"n1c2k4_x1_r1_s1_p0_d1_g2 {PLAIN}"),
    "a tail of one axis": (
        lambda p: p.spec.ndim == 1 and _tail(p) & {1} and features(p)["padding"] == "none",
        f"n1c1k1_x2_r1_s2_p0_d1_g1 {PLAIN}",
    ),
    "nine channels": (lambda p: p.spec.in_channels >= 9, f"n1c9k1_x1_r1_s1_p0_d1_g1 {PLAIN}"),
    "reflect": (lambda p: p.spec.padding_mode == "reflect", f"n1c1k1_x1_r1_s1_p0_d1_g1_mreflect {PLAIN}"),
    "bias gradient": (
        lambda p: p.op == "bgrad",
        "n1c1k1_x1_r1_s1_p0_d1_g1_b bgrad float32 contiguous integers seed=0",
    ),
    "bfloat16 weight gradient": (
        lambda p: (p.op, p.dtype) == ("wgrad", "bfloat16"),
        "n1c1k1_x1_r1_s1_p0_d1_g1 wgrad bfloat16 contiguous integers seed=0",
    ),
    "input gradient, groups and stride": (
        lambda p: p.op == "dgrad" and p.spec.groups > 1 and _strided(p),
        "n1c2k2_x1_r1_s2_p0_d1_g2 dgrad float32 contiguous integers seed=0",
    ),
    "layout of two images": (
        lambda p: p.layout == "channels_last" and p.spec.images > 1,
        "n2c1k1_x1_r1_s1_p0_d1_g1 fprop float32 channels_last integers seed=0",
    ),
}


@pytest.mark.parametrize("name", SMALLEST)
@pytest.mark.parametrize("seed", sliced([0, 1], [0]))
def test_a_failure_shrinks_to_its_line(name, seed):
    fails, line = SMALLEST[name]

    smallest = find(problems(), fails, settings=settings(database=None, max_examples=3000), random=Random(seed))

    assert str(smallest) == line


@pytest.mark.parametrize("seed", sliced([0, 1, 2], [2]))
def test_a_failure_of_many_multiply_adds_stays_plain(seed):
    smallest = find(
        problems(),
        lambda p: p.spec.macs > 1000,
        settings=settings(database=None, max_examples=2000),
        random=Random(seed),
    )

    assert smallest.spec.macs <= 5000
    assert str(smallest).endswith(PLAIN)
    assert features(smallest).items() >= {"transposed": False, "strided": False, "dilated": False, "bias": False}.items()
