"""The CUDA and cuDNN rows where there is no device: what they say there, and what of them needs none. Nothing here tests CUDA."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from convlaws.engines import host
from convlaws.engines.cudnn_plans import CLASSES, no_cudnn
from convlaws.engines.torch_cpu import functional_forward
from convlaws.engines.torch_cuda import HALF, no_device, on_device
from convlaws.errors import Refusal
from convlaws.judge.case import unable
from convlaws.laws import registry as laws
from convlaws.oracle.contracts import CONTRACTS, interval
from convlaws.oracle.oracle import answer
from convlaws.problem.formats import FORMATS
from convlaws.problem.layouts import place
from convlaws.problem.problem import DTYPES, OPS, Problem
from convlaws.problem.request import Ending, Request
from convlaws.sandbox.sandbox import Sandbox
from convlaws.sandbox.worker import Call
from convlaws.targets.registry import ON_GPU, get, rows, target_of

ROWS = rows(*ON_GPU, absent=True)
HAND = [row for row in ROWS if row.kind == "cuda"] + [get(f"cudnn-{name}-0") for name in CLASSES]


def problem_for(row) -> Problem:
    transposed = row.name.startswith("cuda-transpose")
    return Problem.parse(f"n1c1k1_x3x3_r3x3{'_t0x0' * transposed}")


@pytest.mark.parametrize("name", [row.name for row in HAND])
def test_without_a_device_a_row_refuses_with_the_reason(name):
    reason = no_device() if name.startswith("cuda-") else no_cudnn()
    if not reason:
        pytest.skip("there is a CUDA device")
    problem = problem_for(get(name))

    with pytest.raises(Refusal) as refusal:
        host.open_target({"row": name})(Call(str(problem.spec), problem.op, problem.dtype, dict(problem.operands)))

    assert str(refusal.value) == reason


@pytest.mark.parametrize("name", ["cuda-cudnn", "cudnn-plan-0"])
def test_a_refusal_is_the_ending_of_a_reply_from_a_real_child(name):
    if not (reason := no_device()):
        pytest.skip("there is a CUDA device")
    p = problem_for(get(name))

    with Sandbox() as sandbox:
        reply = sandbox.call(target_of(get(name)), Request(spec=p.spec, op=p.op, dtype=p.dtype, operands=p.operands))

    assert (reply.ending, reply.message) == (Ending.REFUSED, reason)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_contract_that_a_row_may_declare_is_there(row):
    spec = problem_for(row).spec

    assert {row.contract(spec, op, dtype) for op in OPS for dtype in DTYPES} <= CONTRACTS.keys()


def test_tf32_is_declared_for_float32_only_and_tensor_cores_for_the_half_types():
    found = {dtype: get("cuda-cudnn-tf32").contract(problem_for(get("cuda-cudnn")).spec, "fprop", dtype) for dtype in DTYPES}

    assert found == {"float64": "plain", "float32": "tf32", "float16": "tensor-core", "bfloat16": "tensor-core"}


@pytest.mark.parametrize(
    ("name", "excused"),
    [
        ("cuda-cudnn", True),
        ("cuda-cudnn-benchmark", True),
        ("cuda-cudnn-deterministic", False),
        ("cuda-native", False),
        ("cudnn-plan-0", False),
        ("cudnn-atomic-0", True),
    ],
)
def test_only_rows_that_promise_no_order_of_their_sums_are_excused_from_bits(name, excused):
    (law,) = laws.find(["the-same-bits-twice"])

    assert bool(unable(get(name), law)) is excused


def test_every_law_that_compares_bits_excuses_them():
    comparing = {law.name for law in laws.laws() if "same_bits" in inspect.getsource(law.claims)}

    assert comparing == {law.name for law in laws.laws() if law.unless == "varies"}
    assert len(comparing) == 8


@pytest.mark.parametrize("op", ["fprop", "dgrad", "wgrad", "bgrad"])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "sliced", "expanded"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_guarded_operands_give_the_right_answer_in_the_memory_of_this_process(op, layout, dtype):
    """On the CPU: the way to the device and back, the operands' layouts included; no kernel of CUDA."""
    p = Problem.parse(f"n2c2k4_x5x4_r2x3_s2x1_p1x0_g2_b {op} {dtype} {layout} integers seed=3")
    arrays = {role: laid(role, a, p) for role, a in p.operands.items()}

    got = on_device(functional_forward(p.spec), p.spec, p.op, arrays, {}, "cpu")

    contract = CONTRACTS["storage" if dtype in HALF else "plain"]  # torch keeps partial results in a half type on the CPU
    allowed = interval(answer(p.spec, p.op, p.operands), contract, FORMATS[dtype])
    assert got.dtype.name == dtype
    assert ((allowed.low <= got.astype("float64")) & (got.astype("float64") <= allowed.high)).all()


def laid(role, a, p):
    """The operand in the layout of its problem."""
    where = place(role, a.shape, p.layout, batched=True)
    view = where.view(np.zeros(where.elements, a.dtype))
    view[...] = a
    return view


def test_importing_torch_starts_no_cuda():
    """What the zygote relies on: CUDA cannot be used in a fork of a process that has started it."""
    assert not torch.cuda.is_initialized()
