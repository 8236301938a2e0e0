"""ONNX Runtime, ONNX's reference evaluator, OpenVINO and OpenCV: real calls through the sandbox, and what the models say."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from engines_in_sandbox import unsettled

from convlaws.engines.onnx_models import attributes, model
from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending, Request
from convlaws.problem.spec import ConvSpec
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.registry import get, rows, target_of

FILES = ("onnxruntime_cpu", "onnx_reference", "openvino_cpu", "opencv_dnn")
ROWS = [row for row in rows("engine", absent=True) if row.address.rpartition(":")[0].endswith(FILES)]
# 2-D, exact in float32, within every row's scope but for what the row says
CONV = "n2c4k6_x7x6_r3x3_s1x1_p1x1_d1x1_g1_b float32 integers seed=3"
UNEVEN = "n2c4k6_x7x6_r3x2_s2x1_p1x0:2_d1x2_g2_b float32 integers seed=3"
TRANSPOSED = "n1c4k6_x5x4_r3x2_s2x1_p1x0_d1x1_g1_b_t1x0 float32 integers seed=3"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as box:
        yield box


def call(box, row, text, note=False):
    if row.absent:
        pytest.skip(row.absent)
    p = Problem.parse(text)
    request = Request(spec=p.spec, op=p.op, dtype=p.dtype, operands=p.operands, layout=p.layout, note=note)
    return p, box.call(target_of(row), request)


# --- the rows ---------------------------------------------------------------------------
@pytest.mark.parametrize("text", [CONV, UNEVEN, TRANSPOSED])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_question_to_an_engine_is_settled_or_it_says_why_it_is_not_asked(sandbox, row, text):
    if reason := row.absent or row.scope.refuses(Problem.parse(text)):
        pytest.skip(reason)

    assert unsettled(sandbox, row, [Problem.parse(text)]) == {}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("onnxruntime", "n1c16k16_x8x8_r3x3_p1x1", "CPUExecutionProvider"),
        ("openvino", CONV, "Convolution"),
        ("opencv", CONV, "Conv"),
        ("opencv-classic", CONV, "Convolution"),
    ],
)
def test_what_ran_is_told(sandbox, name, text, told):
    _, reply = call(sandbox, get(name), text, note=True)

    assert told in reply.ran or reply.ending is not Ending.ANSWERED


@pytest.mark.parametrize("text", ["n1c1k1_x5x5_r2x2_s1x1_psame_d2x2", "n1c1k1_x3x3_r2x2_s1x1_p0x0_d2x2_g1_t1x1"])
@pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime-fed"])
def test_what_onnxruntime_says_it_does_not_do_is_never_an_exception(sandbox, name, text):
    _, reply = call(sandbox, get(name), text)

    assert reply.ending is not Ending.RAISED, reply.message  # a later release may do it
    assert "[ONNXRuntimeError]" in reply.message or reply.ending is not Ending.REFUSED


def test_a_session_with_weights_as_inputs_serves_other_weights_too(sandbox):
    row = get("onnxruntime-fed")

    replies = [call(sandbox, row, f"n1c2k2_x6x6_r3x3_p1x1 float32 integers seed={seed}")[1] for seed in (1, 2, 1)]

    if {r.ending for r in replies} == {Ending.ANSWERED}:
        first, other, again = (r.output.tobytes() for r in replies)
        assert first == again != other


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_nothing_is_written_for_telemetry(sandbox, name, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with Sandbox() as box:
        _, reply = call(box, get(name), CONV)

    assert reply.ending is not Ending.NOT_LOADED, reply.message
    assert [str(f) for f in Path(tmp_path).rglob("*") if f.is_file()] == []


# --- the model -----------------------------------------------------------------------------
def test_padding_becomes_attributes_in_the_order_of_onnx():
    assert attributes(ConvSpec.parse("n1c1k1_x5x5_r2x2_p1:2x3:4"))["pads"] == (1, 3, 2, 4)
    assert attributes(ConvSpec.parse("n1c1k1_x5_r2_psame"))["auto_pad"] == "SAME_UPPER"
    shaped = attributes(ConvSpec.parse("n1c1k1_x5_r3_p1_t0"), shaped=True)
    assert shaped["output_shape"] == (5,)
    assert "pads" not in shaped


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_the_bytes_are_a_model_that_onnx_finds_right(dtype):
    onnx = pytest.importorskip("onnx")
    rng = random.Random(dtype)
    for text in ("n2c4k6_x7x6_r3x2_s2x1_p1x0:2_d1x2_g2_b", "n1c4k6_x5_r3_s2_p1_d1_g1_b_t1", "n3c2k2_x5x5x4_r2x2x2_psame"):
        p = Problem.parse(f"{text} {dtype} normal seed={rng.randrange(99)}")
        arrays = {role: np.ascontiguousarray(a.astype(p.format.dtype)) for role, a in p.operands.items()}

        found = onnx.load_model_from_string(model(p.spec, dtype, arrays))

        onnx.checker.check_model(found, full_check=True)
        held = {t.name: onnx.numpy_helper.to_array(t) for t in found.graph.initializer}
        assert {role: a.tobytes() for role, a in held.items()} == {r: a.tobytes() for r, a in arrays.items() if r != "x"}
        assert [v.name for v in found.graph.input] == ["x"]
