"""The sandbox's memory: arrays arrive as they should lie, and what a method does to them is seen."""

from __future__ import annotations

import os
import sys

import ml_dtypes
import numpy as np
import pytest
from hosts_for_sandbox.asking import LARGE, LINE, TRIVIAL, parts, request

from convlaws.errors import UsageError
from convlaws.problem.layouts import place
from convlaws.problem.problem import DTYPES, LAYOUTS, Problem
from convlaws.problem.request import Ending, Request
from convlaws.sandbox.sandbox import InProcess, Sandbox
from convlaws.sandbox.shared_memory import Segment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")


@pytest.fixture(scope="module")
def trivial():
    with Sandbox(host=TRIVIAL) as sandbox:
        yield sandbox


@pytest.mark.parametrize("kind", [Sandbox, InProcess])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shift", [0, 1])
def test_every_layout_arrives_with_its_values_strides_and_alignment(kind, layout, shift):
    asked = request(words=layout, shift=shift)
    with kind(host=TRIVIAL) as sandbox:
        spec, op, dtype, arrays, _, _ = parts(sandbox.call({"do": "said"}, asked))
        values = {role: sandbox.call({"do": f"copy {role}"}, asked).output for role in arrays}

    assert (spec, op, dtype) == (str(asked.spec), "fprop", "float32")
    assert list(arrays) == ["x", "w"]
    for role, (shape, strides, lane, kept) in arrays.items():
        lies = place(role, asked.operands[role].shape, layout, batched=True, shift=shift)
        assert (tuple(shape), tuple(strides), lane, kept) == (lies.shape, lies.strides, lies.offset % 16, "float32")
        np.testing.assert_array_equal(values[role], asked.operands[role])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_dtype_arrives_and_comes_back_bit_for_bit(trivial, dtype, layout):
    asked = request(words=f"{dtype} {layout}")

    reply = trivial.call({"do": "copy x"}, asked)

    assert reply.output.dtype == asked.operands["x"].dtype
    assert reply.output.tobytes() == asked.operands["x"].tobytes()


def test_bfloat16_travels_as_its_bits(trivial):
    asked = request(words="bfloat16")

    arrays = parts(trivial.call({"do": "said"}, asked))[3]

    assert asked.operands["x"].dtype == ml_dtypes.bfloat16
    assert {role: a[3] for role, a in arrays.items()} == {"x": "uint16", "w": "uint16"}


@pytest.mark.parametrize(("guard", "seen"), [("nan", [True] * 6), ("zero", [False] * 6)])
def test_the_guard_lies_around_an_array(trivial, guard, seen):
    reply = trivial.call({"do": "around"}, request(guard=guard))

    assert np.isnan(reply.output).tolist() == seen
    assert (reply.output == 0).tolist() == [not nan for nan in seen]


@pytest.mark.parametrize("role", ["x", "w"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_operand_that_is_written_to_is_touched(trivial, role, layout):
    reply = trivial.call({"do": f"into {role}"}, request(words=layout))

    assert reply.touched == (role,)


def test_a_guard_that_is_written_to_is_touched(trivial):
    assert trivial.call({"do": "before_x"}, request()).touched == ("x",)


def test_reading_touches_nothing_after_a_call_that_did(trivial):
    trivial.call({"do": "into x"}, request())

    assert trivial.call({"do": "copy x"}, request()).touched == ()


def test_an_output_within_the_operands_is_aliased(trivial):
    viewed = trivial.call({"do": "view x"}, request())
    copied = trivial.call({"do": "copy x"}, request())

    assert (viewed.aliased, copied.aliased) == (True, False)
    np.testing.assert_array_equal(viewed.output, request().operands["x"][:1])


def test_a_reused_output_buffer_is_stale_from_the_second_call_on():
    with Sandbox(host=TRIVIAL) as sandbox:
        reused = [sandbox.call({"do": "reused"}, request()) for _ in range(3)]
        fresh = [sandbox.call({"do": "copy x"}, request()) for _ in range(3)]
        viewed = [sandbox.call({"do": "view x"}, request(words=f"seed={n}")) for n in range(3)]

    assert [r.stale for r in reused] == [False, True, True]
    assert [r.output[0] for r in reused] == [1, 2, 3]
    assert not any(r.stale for r in fresh + viewed)


def test_a_reply_keeps_its_values_when_the_next_call_comes(trivial):
    first = trivial.call({"do": "copy x"}, request())
    kept = first.output.copy()

    trivial.call({"do": "copy x"}, request(words="seed=5"))

    np.testing.assert_array_equal(first.output, kept)


def test_an_output_of_another_shape_and_dtype_comes_back_as_it_is(trivial):
    reply = trivial.call({"do": "other_shape"}, request())

    assert reply.output.dtype == np.int64
    assert reply.output.tolist() == [[2, 1, 0], [5, 4, 3]]


def test_an_empty_output_comes_back(trivial):
    assert trivial.call({"do": "nothing_written"}, request()).output.shape == (0, 3)


def test_an_output_over_its_room_is_an_error_of_the_method(trivial):
    reply = trivial.call({"do": "wide"}, request())

    assert (reply.ending, reply.message) == (Ending.RAISED, "the output has 8388608 bytes")


@pytest.mark.parametrize("kind", [Sandbox, InProcess])
def test_arrays_over_the_segment_get_a_larger_one(kind):
    large = request(LARGE)
    with kind(host=TRIVIAL) as sandbox:
        for asked in (request(), large, request()):
            reply = sandbox.call({"do": "copy x"}, asked)

            np.testing.assert_array_equal(reply.output, asked.operands["x"])
            assert reply.touched == ()


@pytest.mark.parametrize("op", ["second_x", "second_w", "second_gy"])
def test_the_directions_of_second_derivatives_are_contiguous(trivial, op):
    p = Problem.parse(f"{LINE} wgrad normal")
    roles = {"x": "x", "w": "w", "gy": "gy", "v": "x", "u": "w"}
    operands = {role: p.draw(like, tag=role) for role, like in roles.items()}

    asked = Request(spec=p.spec, op=op, dtype=p.dtype, operands=operands, layout="sliced")
    arrays = parts(trivial.call({"do": "said"}, asked))[3]

    strides = {role: tuple(a[1]) for role, a in arrays.items()}
    dense = {role: tuple(s // 4 for s in operands[role].strides) for role in roles}
    assert {role for role in roles if strides[role] == dense[role]} == {"v", "u"}


@pytest.mark.parametrize("words", ["contiguous", "channels_last", "sliced", "expanded"])
@pytest.mark.parametrize("line", ["uc4k6_x8_r3_s1_p0_d1_g1_b", "n0c4k6_x8_r3_s1_p0_d1_g1_b"])
def test_no_batch_axis_an_empty_batch_and_a_bias_arrive(trivial, line, words):
    p = Problem.parse(line)
    x = np.ones(p.spec.x_shape, np.float32)
    operands = {"x": x, "w": p.draw("w"), "b": p.draw("b")}

    reply = trivial.call({"do": "copy x"}, Request(spec=p.spec, op="fprop", dtype="float32", operands=operands, layout=words))

    np.testing.assert_array_equal(reply.output, x)


def test_an_operand_of_another_dtype_is_refused_by_the_parent(trivial):
    wrong = {role: a.astype(np.float64) for role, a in request().operands.items()}

    with pytest.raises(UsageError, match="operand x is float64, the request says float32"):
        trivial.call({"do": "zeros"}, request(operands=wrong))


def test_images_that_differ_cannot_be_expanded(trivial):
    plain = request()

    with pytest.raises(UsageError, match="operand x is to be expanded"):
        trivial.call({"do": "zeros"}, request(operands=plain.operands, layout="expanded"))


def test_threads_are_set_once_a_change():
    with Sandbox(host=TRIVIAL) as sandbox:
        for threads in (1, 1, 4, 1):
            seen = parts(sandbox.call({"do": "said"}, request(threads=threads)))[4]

    assert seen == [1, 4, 1]


def test_the_shared_memory_cannot_be_taken_away():
    segment = Segment(1)

    with pytest.raises(PermissionError):
        os.ftruncate(segment.fd, 0)

    segment.drop_fd()
