"""Timing: what a problem needs, the part that is judged, blocks of calls, and that a wrong method has no time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from engines_in_sandbox import mismatch
from hypothesis import given
from hypothesis import strategies as st
from scripted import engine

from convlaws.engines import stopwatch
from convlaws.oracle.oracle import answer
from convlaws.problem.cost import flops, traffic
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.problem.subproblem import subproblem
from convlaws.records.finding import Verdict
from convlaws.sandbox.sandbox import Sandbox
from convlaws.strategies import problems
from convlaws.targets.registry import find, rows
from convlaws.targets.resolve import Calling, resolve
from convlaws.timing.roofline import Machine
from convlaws.timing.rounds import Comparison
from convlaws.timing.trial import Judged, Trial

GRAIN = 1 << 20  # bytes: the kernel counts a process's pages in batches
MISBEHAVING = Path(__file__).parents[1] / "helpers" / "misbehaving.py"
SMALL = Problem.parse("n1c3k4_x9x8_r3x3_p1x1 normal")
ORDINARY = Scope(
    ops=("fprop", "dgrad", "wgrad"), fills=("normal",), dtypes=("float32", "float64"), layouts=("contiguous",), macs=20_000
)


# --- what a problem needs --------------------------------------------------------------
@given(problems(ORDINARY))
def test_flops_are_two_for_each_product_that_the_definition_has(problem):
    terms = answer(problem.spec, problem.op, {role: np.ones_like(a) for role, a in problem.operands.items()}).n

    biases = terms.size if problem.op == "fprop" and problem.spec.bias else 0
    assert flops(problem) == 2 * (terms.sum() - biases) + biases


def test_traffic_is_every_operand_and_the_result_once():
    assert traffic(Problem.parse("n2c3k4_x8_r3_b float16")) == 2 * (2 * 3 * 8 + 4 * 3 * 3 + 4 + 2 * 4 * 6)
    assert traffic(Problem.parse("n2c3k4_x8_r3 dgrad float64")) == 8 * (2 * 3 * 8 + 4 * 3 * 3 + 2 * 4 * 6)


def test_the_bound_is_the_dearer_of_products_and_copies():
    problem = Problem.parse("n1c1k1_x10_r1")  # 20 flops, 84 bytes

    assert Machine(products={"float32": 1.0}, copying=1e9).bound(problem) == 20
    assert Machine(products={"float32": 1e9}, copying=1.0).bound(problem) == 84


def test_the_rates_of_this_machine_are_rates():
    machine = Machine()

    machine.bound(SMALL)
    machine.again()

    assert machine.products["float32"] > 1e6
    assert machine.copying > 1e6


# --- the part that is judged -----------------------------------------------------------
@given(problems(ORDINARY), st.integers(1, 3000))
def test_a_part_has_the_values_of_the_whole(problem, afforded):
    part = subproblem(problem, afforded)

    whole, found = (answer(p.spec, problem.op, p.operands) for p in (problem, part))
    assert np.array_equal(found.n, whole.n[part.index])
    assert (np.abs(found.R - whole.R[part.index]) <= (found.n + 1) * found.unit * 2 * found.S).all()
    assert part.share == (found.R.size / whole.R.size if whole.R.size else 1)
    assert part.spec.macs <= max(afforded, problem.spec.macs * part.share) + 1


def test_a_part_holds_the_last_channel_where_tails_are():
    problem = Problem.parse("n1c4k37_x6x6_r3x3")

    part = subproblem(problem, 5000)

    assert 0 < part.share < 0.3
    assert 36 in part.index[1]


# --- the stopwatch ---------------------------------------------------------------------
def test_blocks_have_as_many_calls_as_they_say():
    calls = []

    found, number = stopwatch.blocks(lambda: calls.append(0), 0.01)

    tried = sum(10**k for k in range(len(str(number)) - 1))
    assert number > 1
    assert len(calls) == 1 + tried + number * len(found)


def test_a_slow_call_is_made_no_more_often_than_it_must():
    calls = []

    found, number = stopwatch.blocks(lambda: (calls.append(0), sum(range(200_000))), 1e-4, warm=False)

    assert (len(found), number, len(calls)) == (1, 1, 1)


def test_memory_that_a_call_takes_and_gives_back_is_seen():
    size = 64 << 20

    found = stopwatch.grown(lambda: np.ones(size, np.uint8).sum())

    if found is None:
        pytest.skip("this system does not let a process reset its peak of memory")
    assert size - GRAIN <= found < 2 * size


# --- trials ----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def runner():
    with Sandbox(time_limit=10) as sandbox:
        yield sandbox


def functions(*named: str):
    return resolve([f"{MISBEHAVING}:{name}" for name in named], Calling())


def timed(methods, runner, problem=SMALL):
    """The timings by method of one course."""
    machine = Machine(products={problem.dtype: 1e9}, copying=1e9)
    machine.again = lambda: None  # rates are no business of this test
    (found,) = Comparison(methods, runner, budget=0.5).run([("a name", problem)], machine)
    return {t.method.rpartition(":")[2]: t for t in found}


def test_a_right_method_has_a_time_and_all_that_is_said_of_it(runner):
    found = timed(find(["im2col"]), runner)["im2col"]

    assert found.verdict is Verdict.KEPT
    assert 0 < found.low <= found.seconds <= found.high
    assert found.calls >= found.blocks >= 5  # a block a round at least
    assert 0 < found.ratio <= 1
    assert found.judged == 1
    assert (found.flops, found.bound) == (flops(SMALL), flops(SMALL) / 1e9)
    assert found.share == pytest.approx(found.bound / found.seconds)


def test_what_is_wrong_has_no_time_and_the_others_have_theirs(runner):
    methods = [*find(["im2col", "mutant-flipped-kernel", "loop-one-channel"]), *functions("dies", "right", "tires", "gives_up")]

    found = timed(methods, runner)

    verdicts = {name: str(t.verdict) for name, t in found.items()}
    assert verdicts == {
        "im2col": "kept",
        "right": "kept",
        "mutant-flipped-kernel": "broken",
        "tires": "broken",
        "dies": "crashed",
        "gives_up": "crashed",
        "loop-one-channel": "refused",
    }
    assert {name for name, t in found.items() if t.seconds} == {"im2col", "right"}
    assert all(t.message for t in found.values() if t.verdict is not Verdict.KEPT)
    assert "3 input channels" in found["loop-one-channel"].message
    assert "SIGABRT" in found["dies"].message
    assert not any(t.blocks or t.memory or t.ratio for t in found.values() if not t.seconds)


def test_what_does_not_come_back_is_hung():
    with Sandbox(time_limit=1) as short:
        found = timed(functions("sleeps", "right"), short)

    assert found["sleeps"].verdict is Verdict.HUNG
    assert found["right"].seconds


def test_the_threads_reach_libraries_that_choose_them_when_they_are_imported(runner, tmp_path):
    file = tmp_path / "asks.py"
    file.write_text(
        "import os, torch\nfrom scripted.functions import conv2d\ndef threads(x, w, b, *rest):\n"
        "    return 1 / 0 if (torch.get_num_threads(), os.environ['OPENBLAS_NUM_THREADS']) != (2, '2') else "
        "conv2d(x, w, b, *rest)\n"
    )
    (method,) = resolve([f"{file}:threads"], Calling())

    (found,) = next(
        Comparison([method], runner, budget=0.1, threads=2).run([("", SMALL)], Machine(products={"float32": 1.0}, copying=1.0))
    )

    assert (found.message, found.verdict, found.threads) == ("", Verdict.KEPT, 2)


READY = [m for m in rows(absent=True) if m.row in {"torch-onednn", "torch-native", "torch-channels-last", "torch-module",
         "torch-transpose", "onnxruntime", "openvino", "opencv", "opencv-classic", "ncnn"}]  # fmt: skip


@pytest.mark.parametrize("op", ["fprop", "dgrad", "wgrad", "bgrad"])
@pytest.mark.parametrize("method", READY, ids=lambda m: m.name)
def test_what_is_prepared_before_it_is_timed_has_a_time_exactly_where_it_is_kept(runner, method, op):
    if method.absent:
        pytest.skip(method.absent)
    within = asked_of(method, op)

    trials = [Trial(method, Judged(p), runner) for p in within]
    for trial in trials:
        trial.time(0.001)

    assert within or op not in method.scope.ops
    assert all(t.verdict in set(Verdict) for t in trials)
    assert [bool(t.message) for t in trials] == [t.verdict is not Verdict.KEPT for t in trials]
    assert all(t.blocks for t in trials if t.verdict is Verdict.KEPT)


def asked_of(method, op):
    """What the method is asked: a plain and a transposed one, in two layouts, where it does them."""
    lines = ("n1c3k4_x9x8_r3x3_p1x1_b", "n1c3k4_x5x4_r3x3_s2x2_b_t1x1")
    asked = [Problem.parse(f"{line} {op} {layout} normal") for line in lines for layout in ("contiguous", "channels_last")]
    return [p for p in asked if not method.scope.refuses(p)]


def prepared(name, problem):
    """(answer, what was measured) of the row's prepared call, in this process."""
    from convlaws.engines.host import measured, open_target

    told = {"spec": str(problem.spec), "op": problem.op, "dtype": problem.dtype, "arrays": dict(problem.operands)}
    target = {"row": name}
    (result, _), found = measured(target, open_target(target), SimpleNamespace(**told), {"seconds": 1e-5, "warm": True})
    return result, found


@pytest.mark.parametrize("op", ["fprop", "dgrad", "wgrad", "bgrad"])
@pytest.mark.parametrize("method", [m for m in READY if m.row.startswith("torch")], ids=lambda m: m.name)
def test_what_is_prepared_of_torch_gives_right_answers_where_torch_does(stand_ins, method, op):
    for problem in asked_of(method, op):
        result, found = prepared(method.name, problem)

        assert mismatch(method, problem, result) is None, problem
        assert found["blocks"]


def test_a_gradient_of_torch_is_timed_without_its_forward_pass(stand_ins, monkeypatch):
    """The forward pass is asked of the kernel once, however often the gradient is."""
    asked, answer_of = [], engine.answer
    monkeypatch.setattr(engine, "answer", lambda row, spec, op, arrays: (asked.append(op), answer_of(row, spec, op, arrays))[1])

    result, found = prepared("torch-onednn", Problem.parse("n1c3k4_x9x8_r3x3 wgrad"))

    assert asked.count("fprop") == 1
    assert asked.count("wgrad") > 1
    assert result.shape == (4, 3, 3, 3)
    assert found["blocks"]
