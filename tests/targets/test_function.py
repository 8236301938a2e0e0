"""Somebody's own function: found by its address, called as torch calls its own, judged like any method."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from adapters import call, compute
from engines_in_sandbox import mismatch
from random_problems import random_problem, within

from convlaws.engines import host
from convlaws.errors import Refusal, UsageError
from convlaws.problem.problem import Problem
from convlaws.targets.function import SIGNATURES, user_method
from convlaws.targets.registry import target_of

EXAMPLES = Path(__file__).parents[2] / "examples"
PROBLEM = Problem.parse("n2c2k4_x6x5_r3x2_s2x1_p1x0_d1x2_g2_b channels_last")


def write(folder, text, name="mine.py"):
    (folder / name).write_text(text)
    return f"{folder / name}:conv"


def broken(method, count, **fields):
    """The problems of `count` random ones that the method gets wrong."""
    rng, target = random.Random(method.name.rpartition("/")[2]), target_of(method)
    problems = [random_problem(rng, within(method, **fields)) for _ in range(count)]
    return [p for p in problems if mismatch(method, p, compute(target, p))]


# --- the examples -----------------------------------------------------------------
def test_the_right_torch_example_keeps_plain_with_its_gradients():
    method = user_method(f"{EXAMPLES}/right.py:conv2d", "conv2d")

    assert list(map(str, broken(method, 150, batch=("unbatched", "one", "many")))) == []


def test_the_numpy_example_keeps_plain():
    method = user_method(f"{EXAMPLES}/in_numpy.py:conv1d", "conv1d", "numpy")

    assert list(map(str, broken(method, 150))) == []


def test_the_wrong_example_is_found_and_only_where_it_is_wrong():
    method = user_method(f"{EXAMPLES}/forgets_dilation.py:conv2d", "conv2d")

    found = broken(method, 150, dtypes=("float32",), ops=("fprop",))

    assert found
    assert all(max(p.spec.stride) > 1 and max(p.spec.dilation) > 1 for p in found)


def test_an_address_in_a_package_is_found_too():
    method = user_method("scripted.functions:conv_transpose1d", "conv_transpose1d")

    assert list(map(str, broken(method, 60, dtypes=("float32", "float64")))) == []


# --- how it is called ----------------------------------------------------------------
PARAMETERS = "input, weight, bias, stride, padding, dilation, groups"
RECORDS = """
seen = []
def conv({parameters}):
    seen.append((bias, stride, padding, dilation, groups))
    from scripted.functions import {name}
    return {name}({parameters})
"""


def test_the_arguments_are_those_of_torch(tmp_path):
    address = write(tmp_path, RECORDS.format(name="conv2d", parameters=PARAMETERS), "recorded.py")
    compute(target_of(user_method(address, "conv2d")), PROBLEM)

    bias, *rest = sys.modules["recorded"].seen[-1]

    assert tuple(bias.shape) == (4,)
    assert rest == [(2, 1), (1, 0), (1, 2), 2]


def test_same_stays_a_word_and_no_bias_is_none(tmp_path):
    address = write(tmp_path, RECORDS.format(name="conv1d", parameters=PARAMETERS), "recorded_too.py")
    compute(target_of(user_method(address, "conv1d")), Problem.parse("n1c1k1_x5_r3_psame"))

    bias, _, padding, *_ = sys.modules["recorded_too"].seen[-1]

    assert (bias, padding) == (None, "same")


def test_numpy_gets_arrays_with_their_real_strides(tmp_path):
    address = write(tmp_path, "def conv(x, w, b, s, p, d, g):\n    print(type(x).__name__, x.dtype, x.strides)\n    return x")
    problem = Problem.parse("n1c1k1_x3_r1 bfloat16 sliced ones")

    got = compute({"function": address, "signature": "conv1d", "arrays": "numpy"}, problem)

    assert (got.dtype.name, got.strides[-1]) == ("bfloat16", 4)


def test_neighbours_of_the_file_can_be_imported_when_loaded_and_when_called(tmp_path):
    (tmp_path / "beside_it.py").write_text("from scripted.functions import conv1d")
    (tmp_path / "beside_it_later.py").write_text("wanted = True")
    text = "from beside_it import conv1d\ndef conv(*a):\n    import beside_it_later\n    return conv1d(*a)"
    problem = Problem.parse("n1c1k1_x3_r1 ones")

    got = compute({"function": write(tmp_path, text), "signature": "conv1d"}, problem)

    assert got.ravel().tolist() == [1, 1, 1]


def test_a_file_named_like_a_library_does_not_replace_it(tmp_path):
    import numpy

    host.open_target({"function": write(tmp_path, "def conv(*a): pass", "numpy.py"), "signature": "conv1d"})

    assert sys.modules["numpy"] is numpy


# --- what it may not return -------------------------------------------------------------
def test_gradients_of_a_function_without_any_are_refused(tmp_path):
    address = write(tmp_path, "from scripted.functions import conv2d\ndef conv(*a):\n    return conv2d(*a).detach()")
    gradient = Problem(**{**vars_of(PROBLEM), "op": "wgrad"})

    with pytest.raises(Refusal, match="its output carries no gradient: dgrad, wgrad and bgrad are not judged"):
        compute({"function": address, "signature": "conv2d"}, gradient)


def vars_of(problem):
    return {name: getattr(problem, name) for name in problem.__dataclass_fields__}


@pytest.mark.parametrize(
    ("arrays", "text", "says"),
    [
        ("torch", "[1, 2]", r"returned \[1, 2\] of type list, it should be a torch.Tensor"),
        ("torch", "None", "returned None of type NoneType, it should be a torch.Tensor"),
        ("numpy", "3.5", "returned 3.5 of type float, it should be a numpy.ndarray"),
    ],
)
def test_a_return_that_is_no_array_is_said(tmp_path, arrays, text, says):
    address = write(tmp_path, f"def conv(*a):\n    return {text}")

    with pytest.raises(TypeError, match=says):
        compute({"function": address, "signature": "conv2d", "arrays": arrays}, PROBLEM)


def test_an_exception_of_the_function_stays_that_exception(tmp_path):
    address = write(tmp_path, "def conv(*a):\n    raise ZeroDivisionError('mine')")

    with pytest.raises(ZeroDivisionError, match="mine"):
        compute({"function": address, "signature": "conv2d"}, PROBLEM)


# --- addresses that lead nowhere --------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def cnov(*a): pass", "has no 'conv'; it has cnov"),
        ("conv = 3", "is 3 of type int, not a function"),
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all' .mine.py, line 1."),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)", "cannot be imported: SystemExit: 3"),
        ("def conv(:", "cannot be imported: SyntaxError"),
        ("def conv(x, w): pass", r"has the parameters \(x, w\), but conv2d calls it with 7 positional arguments"),
        ("def conv(x, w, b, s, p, output_padding, g=1): pass", "it needs --signature conv_transpose2d"),
        ("def conv(x, w, *, bias=None): pass", "positional arguments .input, weight, bias, stride"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path, text, says):
    target = {"function": write(tmp_path, text), "signature": "conv2d"}

    with pytest.raises(UsageError, match=says) as caught:
        host.open_target(target)

    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("nowhere.py:conv", "there is no file nowhere.py in "),
        ("no_such_package.at_all:conv", "no_such_package.at_all cannot be imported: ModuleNotFoundError"),
        ("torch.nn.functional", "should read package.module:function or path/to/file.py:function"),
        ("torch.nn.functional:conv9d", "torch.nn.functional has no 'conv9d'; it has "),
    ],
)
def test_an_address_that_leads_nowhere_is_one_sentence(address, says):
    with pytest.raises(UsageError, match=says):
        host.open_target({"function": address, "signature": "conv2d"})


@pytest.mark.parametrize(("signature", "arrays"), [("conv4d", "torch"), ("conv2d", "cupy")])
def test_signatures_and_arrays_that_are_none_are_named(signature, arrays):
    with pytest.raises(UsageError, match=r"'(conv4d|cupy)' is none of (conv1d|torch)"):
        user_method("mine.py:conv", signature, arrays)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_the_scope_follows_from_the_signature(signature):
    ndim, transposed = SIGNATURES[signature]
    scope = user_method("mine.py:conv", signature).scope

    found = (scope.ndim, scope.transposed, "same" in scope.padding, True in scope.output_padding)

    assert found == ((ndim,), (transposed,), not transposed, transposed)


def test_bits_of_bfloat16_come_back_from_torch(tmp_path):
    address = write(tmp_path, "def conv(x, *a):\n    return x + x")
    problem = Problem.parse("n1c1k1_x3_r1 bfloat16 ones")

    raw, tag = host.open_target({"function": address, "signature": "conv1d"})(call(problem))

    assert (raw.dtype, tag, raw.ravel().tolist()) == (np.uint16, "bfloat16", [0x4000] * 3)
