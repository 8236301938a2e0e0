"""Layouts: where elements lie, guards around them, and no two at one place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlaws.problem.layouts import GUARD, place
from convlaws.problem.problem import LAYOUTS

SHAPES = st.lists(st.integers(0, 4), min_size=2, max_size=5).map(tuple)
ROLE = st.sampled_from(["x", "gy", "w", "y"])


@pytest.mark.parametrize("layout", LAYOUTS)
@given(shape=SHAPES, role=ROLE, batched=st.booleans(), shift=st.integers(0, 3))
def test_elements_lie_within_the_guards(layout, shape, role, batched, shift):
    at = place(role, shape, layout, batched=batched, shift=shift)
    buffer = np.arange(at.elements)

    found = at.view(buffer)

    assert found.shape == shape
    if found.size:
        assert found.min() >= GUARD + shift
        assert found.max() < at.elements - GUARD


@pytest.mark.parametrize("layout", LAYOUTS)
@given(shape=SHAPES, role=ROLE, batched=st.booleans())
def test_no_two_elements_share_a_place_but_for_images_of_expanded(layout, shape, role, batched):
    at = place(role, shape, layout, batched=batched)

    found = at.view(np.arange(at.elements))

    shared = layout == "expanded" and role != "w" and found.size
    distinct = found[:1] if shared else found
    assert len(np.unique(distinct)) == distinct.size
    assert not shared or (found == found[:1]).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_is_read_back(layout):
    at = place("w", (2, 3, 4), layout, batched=True)
    buffer, values = np.full(at.elements, -1.0), np.arange(24.0).reshape(2, 3, 4)

    at.view(buffer)[...] = values

    assert np.array_equal(at.view(buffer), values)
    assert (buffer[:GUARD] == -1).all()
    assert (buffer[-GUARD:] == -1).all()
    assert (buffer >= 0).sum() == values.size


@pytest.mark.parametrize(
    ("role", "batched", "shape", "strides"),
    [
        ("x", True, (2, 3, 4, 5), (60, 1, 15, 3)),
        ("x", False, (3, 4, 5), (1, 15, 3)),
        ("w", False, (2, 3, 4, 5), (60, 1, 15, 3)),
        ("b", True, (3,), (1,)),
    ],
)
def test_channels_lie_next_to_each_other_in_channels_last(role, batched, shape, strides):
    assert place(role, shape, "channels_last", batched=batched).strides == strides


def test_sliced_takes_every_second_element_of_something_larger():
    at = place("x", (1, 1, 2, 3), "sliced", batched=True)

    assert at.strides[-1] == 2
    assert at.strides[-2] > 2 * 3


def test_expanded_repeats_images_and_no_weights():
    assert place("x", (4, 2, 3), "expanded", batched=True).strides == (0, 3, 1)
    assert place("w", (4, 2, 3), "expanded", batched=True).strides == (6, 3, 1)


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_a_shift_moves_by_elements(shift):
    plain, moved = (place("x", (1, 1, 4), "contiguous", batched=True, shift=s) for s in (0, shift))

    assert moved.offset - plain.offset == shift
