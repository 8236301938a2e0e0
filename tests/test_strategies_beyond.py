"""What is drawn beyond torch's ground, where a scope allows it: each corner, and what it shrinks to."""

from random import Random

import pytest
from hypothesis import find, settings
from test_strategies import DRAWS, PLAIN, _tail, draws

from convlaws.features import features
from convlaws.scope import WHOLE, WIDE, Scope
from convlaws.strategies import problems


@pytest.fixture(scope="module")
def whole():
    return draws(WHOLE)


def _spaced(p):
    return zip(p.spec.spaced, p.spec.sides, p.spec.reach, strict=True)


def _is(p, **values):
    return features(p).items() >= values.items()


BEYOND = {
    "cropped at both ends": lambda p: any(max(side) < 0 for side in p.spec.sides),
    "cropped at the low end only": lambda p: any(low < 0 == high for low, high in p.spec.sides),
    "cropped at the high end only": lambda p: any(low == 0 > high for low, high in p.spec.sides),
    "cropped at one end, padded at the other": lambda p: any(min(side) < 0 < max(side) for side in p.spec.sides),
    "cropped to one element": lambda p: any(n + sum(side) == 1 < n for n, side, _ in _spaced(p)),
    "cropped to nothing": lambda p: any(n and n + sum(side) == 0 for n, side, _ in _spaced(p)),
    "cropped and strided": lambda p: _is(p, padding="negative", strided=True),
    "cropped and dilated": lambda p: _is(p, padding="negative", dilated=True),
    "a zero between two elements is the first that is left": lambda p: any(
        i > 1 and low % i for i, (low, _) in zip(p.spec.input_dilation, p.spec.sides, strict=True) if low < 0
    ),
    "input dilation of 3 or more": lambda p: max(p.spec.input_dilation) >= 3,
    "unequal input dilations": lambda p: len(set(p.spec.input_dilation)) > 1,
    "input dilation of one element": lambda p: any(i > 1 == n for i, n in zip(p.spec.input_dilation, p.spec.extent, strict=True)),
    "input dilation equal to the stride": lambda p: any(
        1 < i == s for i, s in zip(p.spec.input_dilation, p.spec.stride, strict=True)
    ),
    "input dilation, stride and dilation": lambda p: _is(p, input_dilated=True, strided=True, dilated=True),
    "input dilation and padding": lambda p: _is(p, input_dilated=True, padding="even"),
    "input dilation, grouped": lambda p: _is(p, input_dilated=True) and p.spec.groups > 1,
    "sameupper, the odd one high": lambda p: p.spec.padding == "sameupper" and any(low < high for low, high in p.spec.sides),
    "samelower, the odd one low": lambda p: p.spec.padding == "samelower" and any(low > high for low, high in p.spec.sides),
    "sameupper, stride beyond the kernel": lambda p: (
        p.spec.padding == "sameupper" and _tail(p) & {1, 2} and (0, 0) in p.spec.sides
    ),
    "sameupper, strided and dilated": lambda p: _is(p, padding="sameupper", strided=True, dilated=True),
    "an empty input": lambda p: 0 in p.spec.extent,
    "an empty input, padded to a result": lambda p: any(n == 0 < y for n, y in zip(p.spec.extent, p.spec.output, strict=True)),
    "an empty result of an input that is not": lambda p: 0 in p.spec.output and 0 not in p.spec.extent,
    "an empty result, padded": lambda p: 0 in p.spec.output and features(p)["padding"] in ("even", "uneven"),
    "one axis empty of three": lambda p: p.spec.ndim == 3 and p.spec.output.count(0) == 1,
    "an empty batch of an empty result": lambda p: p.spec.batch == 0 in p.spec.output,
    "an empty weight gradient's operands": lambda p: p.op == "wgrad" and 0 in p.spec.output,
}


@pytest.mark.parametrize("corner", BEYOND)
def test_each_corner_beyond_the_ordinary_ground_is_reached(whole, corner):
    hits = [p for p in whole if BEYOND[corner](p)]

    assert hits, f"no {corner!r} in {DRAWS} draws"


def test_most_of_what_is_drawn_from_everything_is_ordinary_and_none_is_left_out(whole):
    ordinary = [p for p in whole if Scope().refuses(p) is None]
    values = {name: {features(p)[name] for p in whole} for name in WIDE}

    assert DRAWS / 2 < len(ordinary) < DRAWS
    assert values == {name: set(allowed) for name, allowed in WIDE.items()}


def test_the_ordinary_ground_has_nothing_beyond_it():
    found = {name: {features(p)[name] for p in draws(Scope())} - set(getattr(Scope(), name)) for name in WIDE}

    assert found == {name: set() for name in WIDE}


# of everything, beyond what SMALLEST has
SMALLEST_BEYOND = {
    "anything": (lambda p: True, f"n1c1k1_x1_r1_s1_p0_d1_g1 {PLAIN}"),
    "cropped": (lambda p: features(p)["padding"] == "negative", f"n1c1k1_x2_r1_s1_p-1:0_d1_g1 {PLAIN}"),
    "input dilation": (lambda p: max(p.spec.input_dilation) > 1, f"n1c1k1_x1_r1_s1_p0_d1_i2_g1 {PLAIN}"),
    "sameupper": (lambda p: p.spec.padding == "sameupper", f"n1c1k1_x1_r1_s1_psameupper_d1_g1 {PLAIN}"),
    "an empty result": (lambda p: 0 in p.spec.output, f"n1c1k1_x0_r1_s1_p0_d1_g1 {PLAIN}"),
    "an empty result of an input": (
        lambda p: 0 in p.spec.output and 0 not in p.spec.extent,
        f"n1c1k1_x1_r2_s1_p0_d1_g1 {PLAIN}",
    ),
}


@pytest.mark.parametrize("name", SMALLEST_BEYOND)
def test_a_failure_beyond_the_ordinary_ground_shrinks_to_its_line(name):
    fails, line = SMALLEST_BEYOND[name]

    smallest = find(problems(WHOLE), fails, settings=settings(database=None, max_examples=3000), random=Random(0))

    assert str(smallest) == line
