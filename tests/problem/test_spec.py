"""ConvSpec: its arithmetic, its text, and the sentence for each size that is wrong."""

from itertools import product

import pytest
from hypothesis import given, settings

from convlaws.errors import LineError, SpecError
from convlaws.problem.scope import WIDE, Scope
from convlaws.problem.spec import ConvSpec
from convlaws.problem.spec_rules import RULES
from convlaws.strategies import conv_specs

steady = settings(derandomize=True, database=None, deadline=None, max_examples=300)

# (fields, the sentence): the axis and both numbers are in it
WRONG = {
    "no axis": ({"extent": (), "kernel": ()}, "the extent has 0 axes, a convolution has 1 to 3"),
    "four axes": ({"extent": (2,) * 4, "kernel": (1,) * 4}, "the extent has 4 axes, a convolution has 1 to 3"),
    "kernel of one axis": ({"extent": (5, 5), "kernel": (3,)}, "kernel has 1 axes, the extent has 2"),
    "strides of two axes": ({"stride": (1, 1)}, "stride has 2 axes, the extent has 1"),
    "padding of two axes": ({"padding": ((0, 0), (0, 0))}, "padding has 2 axes, the extent has 1"),
    "no channel": ({"in_channels": 0}, "in_channels is 0, the least is 1"),
    "no group": ({"groups": 0}, "groups is 0, the least is 1"),
    "negative batch": ({"batch": -1}, "batch is -1, the least is 0"),
    "negative extent": ({"extent": (5, -1), "kernel": (1, 1)}, "axis 1: extent is -1, the least is 0"),
    "no extent, transposed": ({"extent": (0,), "transposed": True}, "axis 0: extent is 0, the least is 1"),
    "no extent, reflected": (
        {"extent": (0,), "padding_mode": "replicate"},
        "axis 0: replicate padding has nothing to copy, as the extent is 0",
    ),
    "input dilations of two axes": ({"input_dilation": (1, 2)}, "input_dilation has 2 axes, the extent has 1"),
    "no input dilation": ({"input_dilation": (0,)}, "axis 0: input_dilation is 0, the least is 1"),
    "input dilation, transposed": (
        {"input_dilation": (2,), "transposed": True},
        "axis 0: input_dilation is 2, but the stride of a transposed convolution is that already",
    ),
    "input dilation and a word": (
        {"input_dilation": (2,), "padding": "same"},
        "axis 0: input_dilation is 2, which needs its padding in numbers, not 'same'",
    ),
    "input dilation and a mode": (
        {"input_dilation": (2,), "padding_mode": "circular"},
        "axis 0: input_dilation is 2, which goes with zeros around it, not circular",
    ),
    "no kernel": ({"kernel": (0,)}, "axis 0: kernel is 0, the least is 1"),
    "no stride": ({"stride": (0,)}, "axis 0: stride is 0, the least is 1"),
    "no dilation": ({"dilation": (0,)}, "axis 0: dilation is 0, the least is 1"),
    "negative output padding": (
        {"output_padding": (-1,), "transposed": True},
        "axis 0: output_padding is -1, the least is 0",
    ),
    "groups and input": ({"groups": 2, "in_channels": 3, "out_channels": 4}, "groups=2 does not divide in_channels=3"),
    "groups and output": (
        {"groups": 2, "in_channels": 4, "out_channels": 3},
        "groups=2 does not divide out_channels=3",
    ),
    "unknown mode": ({"padding_mode": "edge"}, "padding mode 'edge' is none of zeros, reflect, replicate, circular"),
    "unknown padding": ({"padding": "full"}, "padding 'full' is none of same, valid, sameupper, samelower"),
    "sameupper, reflected": (
        {"padding": "sameupper", "padding_mode": "reflect"},
        "padding 'sameupper' is made of zeros, not reflect",
    ),
    "same, transposed": ({"padding": "same", "transposed": True}, "padding 'same' has no meaning for a transposed"),
    "same, strided": (
        {"extent": (5, 5), "kernel": (3, 3), "stride": (1, 2), "padding": "same"},
        "axis 1: padding 'same' needs stride 1, this has 2",
    ),
    "negative padding, transposed": (
        {"padding": ((2, -1),), "transposed": True},
        "axis 0: padding is -1, the least of a transposed convolution is 0",
    ),
    "negative padding, circular": (
        {"padding": ((-2, 1),), "padding_mode": "circular"},
        "axis 0: padding is -2, the least of circular padding is 0",
    ),
    "reflected too far": (
        {"padding": ((1, 5),), "padding_mode": "reflect"},
        "axis 0: reflect padding 5 is over 4, as the extent is 5",
    ),
    "round twice": (
        {"padding": ((6, 0),), "padding_mode": "circular"},
        "axis 0: circular padding 6 is over 5, as the extent is 5",
    ),
    "reflected, transposed": ({"padding_mode": "reflect", "transposed": True}, "pads with zeros, not reflect"),
    "output padding, not transposed": (
        {"output_padding": (1,)},
        "axis 0: output_padding is 1, but the convolution is not",
    ),
    "output padding too large": (
        {"output_padding": (2,), "stride": (2,), "transposed": True},
        "axis 0: output_padding is 2, not below the larger of stride 2 and dilation 1",
    ),
    "more cropped than there is": (
        {"extent": (8, 3), "kernel": (1, 1), "padding": ((1, 1), (-4, -2)), "input_dilation": (1, 2)},
        "axis 1: the padding takes 6, the input has 5",
    ),
    "padding takes all": (
        {"extent": (1,), "kernel": (3,), "padding": ((2, 1),), "transposed": True},
        "axis 0: the padding takes 3, the output before it has 3",
    ),
}


def _loose(fields):
    """A spec's fields without its checks, to ask the rules one by one."""
    spec = ConvSpec.parse("n1c1k1_x5_r3")
    loose = object.__new__(ConvSpec)
    filled = {"extent": (5,), "kernel": (3,)} | fields
    for name in ConvSpec.__dataclass_fields__:
        value = filled.get(name, getattr(spec, name))
        few = {"stride": (1,), "dilation": (1,), "input_dilation": (1,), "padding": ((0, 0),), "output_padding": (0,)}
        if name in few and name not in fields:
            value = few[name] * len(filled["extent"])
        object.__setattr__(loose, name, value)
    return loose


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_size_is_named_with_its_axis_and_numbers(name):
    fields, sentence = WRONG[name]

    with pytest.raises(SpecError) as caught:
        ConvSpec(**{"extent": (5,), "kernel": (3,)} | fields)

    assert sentence in str(caught.value)


def test_every_rule_has_a_wrong_size():
    first = {next(rule for rule in RULES if rule(_loose(fields))) for fields, _ in WRONG.values()}

    assert first == set(RULES)


def test_the_error_ends_with_the_line():
    with pytest.raises(SpecError) as caught:
        ConvSpec(extent=(5,), kernel=(3,), padding=((-6, 0),))

    assert str(caught.value).endswith("the padding takes 6, the input has 5, in n1c1k1_x5_r3_s1_p-6:0_d1_g1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not begin like n1c4k6"),
        ("c1k1_x5_r3", "does not begin like n1c4k6"),
        ("n1c1k1", "has no extent and no kernel"),
        ("n1c1k1_x5", "has no kernel"),
        ("n1c1k1_x5_r3_x6", "gives extent twice"),
        ("n1c1k1_x5_r3_q1", "'q1' begins with none of x r s p d i g b m t"),
        ("n1c1k1_x5_r3_s", "'s' should hold numbers"),
        ("n1c1k1_x5y3_r3", "should hold numbers"),
        ("n1c1k1_x5_r3_t", "should hold numbers"),
    ],
)
def test_a_text_that_is_no_spec_is_refused_with_a_reason(text, reason):
    with pytest.raises(LineError) as caught:
        ConvSpec.parse(text)

    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("n1c1k1_x5_r3", "n1c1k1_x5_r3_s1_p0_d1_g1"),
        ("uc2k2_r3_x5_g2", "uc2k2_x5_r3_s1_p0_d1_g2"),
        ("n0c1k1_x5x4_r3x2_p1:0x2", "n0c1k1_x5x4_r3x2_s1x1_p1:0x2_d1x1_g1"),
        ("n1c1k1_x5_r2_psame_mcircular_b", "n1c1k1_x5_r2_s1_psame_d1_g1_b_mcircular"),
        ("n1c1k1_x5_r2_s3_t2", "n1c1k1_x5_r2_s3_p0_d1_g1_t2"),
        ("n1c1k1_x5x4_r2x2_i1x3", "n1c1k1_x5x4_r2x2_s1x1_p0x0_d1x1_i1x3_g1"),
        ("n1c1k1_x5_r2_i1", "n1c1k1_x5_r2_s1_p0_d1_g1"),
        ("n1c1k1_x5x4x3_r1x1x1_p-1x-2:1x0:-1", "n1c1k1_x5x4x3_r1x1x1_s1x1x1_p-1x-2:1x0:-1_d1x1x1_g1"),
        ("n1c1k1_x5_r4_s2_psamelower", "n1c1k1_x5_r4_s2_psamelower_d1_g1"),
        ("n1c1k1_x0_r7", "n1c1k1_x0_r7_s1_p0_d1_g1"),
    ],
)
def test_what_a_line_leaves_out_has_a_default(short, long):
    spec = ConvSpec.parse(short)

    assert str(spec) == long


@steady
@given(spec=conv_specs(Scope(**WIDE, transposed=(False,))))
def test_the_output_counts_the_places_of_the_kernel(spec):
    spaced = [len("".join("x" + "0" * (i - 1) for _ in range(n)).rstrip("0")) for n, i in _dilated(spec)]
    wide = [n + low + high for n, (low, high) in zip(spaced, spec.sides, strict=True)]
    rows = zip(wide, spec.reach, spec.stride, strict=True)
    places = [[o for o in range(0, n, s) if o + reach <= n] for n, reach, s in rows]

    assert spec.output == tuple(map(len, places))
    assert spec.macs == spec.images * len([*product(*places)]) * len([*product(*map(range, spec.w_shape))])


def _dilated(spec):
    return zip(spec.extent, spec.input_dilation, strict=True)


@steady
@given(spec=conv_specs(Scope(transposed=(True,))))
def test_a_transposed_convolution_has_room_for_every_tap(spec):
    farthest = [(n - 1) * s + reach for n, s, reach in zip(spec.extent, spec.stride, spec.reach, strict=True)]

    uncut = [n + sum(side) for n, side in zip(spec.output, spec.sides, strict=True)]

    assert uncut == [f + extra for f, extra in zip(farthest, spec.output_padding, strict=True)]


@steady
@given(spec=conv_specs(Scope(padding=("same",))))
def test_same_padding_keeps_the_extent(spec):
    assert spec.output == spec.extent


# extent, kernel, stride, dilation; results, low and high of SAME_UPPER: worked out by hand
BY_HAND = [
    (5, 3, 1, 1, 5, 1, 1),
    (5, 3, 2, 1, 3, 1, 1),
    (6, 3, 2, 1, 3, 0, 1),
    (13, 6, 5, 1, 3, 1, 2),  # the example of TensorFlow's documentation
    (5, 4, 1, 1, 5, 1, 2),
    (4, 2, 3, 1, 2, 0, 1),
    (7, 2, 5, 1, 2, 0, 0),
    (5, 3, 2, 2, 3, 2, 2),
    (1, 1, 3, 1, 1, 0, 0),
    (0, 1, 1, 1, 0, 0, 0),
]


@pytest.mark.parametrize(("extent", "kernel", "stride", "dilation", "results", "low", "high"), BY_HAND)
def test_same_with_a_stride_is_that_of_onnx_and_tensorflow(extent, kernel, stride, dilation, results, low, high):
    sizes = {"extent": (extent,), "kernel": (kernel,), "stride": (stride,), "dilation": (dilation,)}

    upper, lower = (ConvSpec(**sizes, padding=word) for word in ("sameupper", "samelower"))

    assert (upper.sides, lower.sides) == (((low, high),), ((high, low),))
    assert upper.output == lower.output == (results,)


@steady
@given(spec=conv_specs(Scope(padding=("sameupper", "samelower"), empty=(False, True))))
def test_same_with_a_stride_has_a_result_for_each_stride(spec):
    assert spec.output == tuple(len(range(0, n, s)) for n, s in zip(spec.extent, spec.stride, strict=True))


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@steady
@given(spec=conv_specs(Scope(padding=("none", "even", "same", "valid"), padding_mode=("zeros",), batch=("one", "many"))))
def test_the_shapes_are_those_of_torch(spec):
    torch = pytest.importorskip("torch")
    kind = "conv_transpose" if spec.transposed else "conv"
    call = getattr(torch.nn.functional, f"{kind}{spec.ndim}d")
    x, w = (torch.empty(shape, device="meta") for shape in (spec.x_shape, spec.w_shape))
    padding = spec.padding if isinstance(spec.padding, str) else tuple(low for low, _ in spec.padding)
    extra = {"output_padding": spec.output_padding} if spec.transposed else {}

    y = call(x, w, stride=spec.stride, padding=padding, dilation=spec.dilation, groups=spec.groups, **extra)

    assert tuple(y.shape) == spec.y_shape
