"""Guards and poison of device memory, in the memory of this process: the same code with another device's name."""

from __future__ import annotations

import pytest
import torch

from convlaws.engines.device_memory import GUARD, POISON, Guarded, Operands

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES)
def test_memory_is_nan_until_it_is_written(dtype):
    guarded = Guarded((2, 3), (3, 1), dtype, "cpu")

    assert guarded.tensor.isnan().all()
    assert not guarded.written_around()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", ["before", "after"])
def test_one_byte_written_next_to_it_is_seen(dtype, place):
    guarded = Guarded((2, 3), (3, 1), dtype, "cpu", start=8)
    guarded.tensor.fill_(1)
    assert not guarded.written_around()

    guarded.memory[guarded.first - 1 if place == "before" else guarded.last] = 0

    assert guarded.written_around()


@pytest.mark.parametrize("strides", [(6, 3, 1), (0, 3, 1), (14, 7, 2), (6, 1, 2)])
def test_a_copy_has_the_numbers_the_strides_and_the_misalignment(strides):
    host = torch.arange(64, dtype=torch.float32)[3:]
    tensor = torch.as_strided(host, (2, 2, 3), strides)

    copied = Guarded.copied(tensor, "cpu")

    assert torch.equal(copied.tensor, tensor)
    assert copied.tensor.stride() == strides
    assert (copied.first - GUARD) == tensor.data_ptr() % 64
    assert Guarded.copied(tensor, "cpu", aligned=True).first == GUARD


def test_an_empty_array_is_two_guards():
    guarded = Guarded((0, 3), (3, 1), torch.float32, "cpu")

    assert guarded.tensor.shape == (0, 3)
    assert guarded.memory.numel() == 2 * GUARD
    assert (guarded.memory == POISON).all()


@pytest.mark.parametrize("offset", [-1, 0, 24])
def test_an_operand_that_was_written_to_or_around_is_named(offset):
    operands = Operands({"x": torch.zeros(2, 3), "w": torch.ones(1)}, "cpu")
    operands.reject_if_touched()
    held = operands.held["x"]

    held.memory[held.first + offset] = 7

    with pytest.raises(RuntimeError, match="operand x, or next to it"):
        operands.reject_if_touched()
