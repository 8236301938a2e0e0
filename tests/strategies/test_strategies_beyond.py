"""What is drawn beyond torch's ground, where a scope allows it: each corner, and what it shrinks to."""

from random import Random

import pytest
from hypothesis import find, settings
from test_strategies import DRAWS, PLAIN, draws

from convlaws.problem.features import features
from convlaws.problem.scope import WHOLE, WIDE, Scope
from convlaws.strategies import problems


@pytest.fixture(scope="module")
def whole():
    return draws(WHOLE)


def test_most_of_what_is_drawn_from_everything_is_ordinary_and_none_is_left_out(whole):
    ordinary = [p for p in whole if Scope().refuses(p) is None]
    values = {name: {features(p)[name] for p in whole} for name in WIDE}

    assert DRAWS / 2 < len(ordinary) < DRAWS
    assert values == {name: set(allowed) for name, allowed in WIDE.items()}


@pytest.mark.long  # test_strategies.py asks the same of its own draws
def test_the_ordinary_ground_has_nothing_beyond_it():
    found = {name: {features(p)[name] for p in draws(Scope())} - set(getattr(Scope(), name)) for name in WIDE}

    assert found == {name: set() for name in WIDE}


# of everything, beyond what SMALLEST has
SMALLEST_BEYOND = {
    "anything": (lambda p: True, [f"n1c1k1_x1_r1_s1_p0_d1_g1 {PLAIN}"]),
    "cropped": (lambda p: features(p)["padding"] == "negative", [f"n1c1k1_x2_r1_s1_p-1:0_d1_g1 {PLAIN}"]),
    "input dilation": (lambda p: max(p.spec.input_dilation) > 1, [f"n1c1k1_x1_r1_s1_p0_d1_i2_g1 {PLAIN}"]),
    "sameupper": (lambda p: p.spec.padding == "sameupper", [f"n1c1k1_x1_r1_s1_psameupper_d1_g1 {PLAIN}"]),
    "an empty result": (lambda p: 0 in p.spec.output, [f"n1c1k1_x0_r1_s1_p0_d1_g1 {PLAIN}"]),
    "an empty result of an input": (
        lambda p: 0 in p.spec.output and 0 not in p.spec.extent,
        # cropped to nothing is as small: from there to a kernel of two taps a number would have to rise
        [f"n1c1k1_x1_r2_s1_p0_d1_g1 {PLAIN}", f"n1c1k1_x2_r1_s1_p-2:0_d1_g1 {PLAIN}"],
    ),
}


@pytest.mark.parametrize("name", SMALLEST_BEYOND)
def test_a_failure_beyond_the_ordinary_ground_shrinks_to_its_line(name):
    fails, lines = SMALLEST_BEYOND[name]

    smallest = find(problems(WHOLE), fails, settings=settings(database=None, max_examples=3000), random=Random(0))

    assert str(smallest) in lines
