"""Mutants of numerics, memory, contract and process: wrong where all of their triggers hold, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from mutants_ground import FIELDS

from convlaws.engines.host import attribute
from convlaws.judge.case import Oracle
from convlaws.mutants import TRIGGERS, all_mutants
from convlaws.mutants.registry import STATE, Mutant
from convlaws.oracle.claim import Claim, judge
from convlaws.problem.layouts import place
from convlaws.problem.problem import Problem
from convlaws.problem.request import SECOND, Ending, Request
from convlaws.problem.scope import WHOLE, Scope
from convlaws.sandbox.sandbox import Sandbox
from convlaws.search.drawing import possible
from convlaws.strategies.blocks import chance
from convlaws.targets.registry import get, target_of

ROOMS = ("behaviour", "layouts", "numerics", "ownership", "processes", "rounding", "second_order", "special_values")
MINE = [
    m for m in all_mutants() if get(f"mutant-{m.name}").address.split(":")[0].rpartition(".")[2] in ROOMS and m.name != "chatters"
]
NUMBERED = re.compile(r"[\w.-]+/[\w.-]+#[1-9]\d*")
ALWAYS = ("earlier-call", "same-sizes-before", "second-derivative")  # triggers that no single call can lack
# exact sizes, and numbers that stand together by chance
LINES = {
    "unwritten-after-a-block": "n1c1k1_x600_r9 fprop float32",
    "kernel-rounded-up": "n1c33k1_x3_r1 fprop float16",
    "tail-lost-off-a-boundary": "n1c1k2_x40_r3 fprop float32 sliced",
    "tail-channels-masked-by-a-product": "n2c5k1_x3_r1 fprop float32 special seed=3",
    "tf32-for-many-channels": "n1c65k1_x3x3_r1x1 fprop float32 normal",
    "many-gradients-in-half": "n32c1k1_x3_r1 wgrad float16 normal",
    "zero-taps-are-skipped": "n1c1k1_x3_r2 fprop float32 special seed=52",
    "blocks-added-in-half": "n1c8k1_x12_r9 fprop float16 normal",
    "split-sums-in-half": "n1c8k1_x12_r9 fprop float16 normal",
    "compensation-lost": "n1c8k1_x12_r9 fprop float16 normal",
    "plan-cached-without-the-type": "n1c1k1_x3_r2 fprop float64 normal",
    "plan-cached-without-the-geometry": "n1c2k2_x5_r2_p1:0_g2 fprop float64",
    "workspace-of-a-larger-call": "n1c1k1_x5_r1 fprop",
    "atomic-additions": "n4c2k2_x30_r2 wgrad float32 normal",
}
# the earlier call that the mistake comes from
BEFORE = {
    "plan-cached-without-the-type": "n1c1k1_x3_r2 fprop float32",
    "plan-cached-without-the-geometry": "n1c2k2_x5_r2_p0:1_g2 fprop float64",
    "workspace-of-a-larger-call": "n1c1k1_x13_r1 fprop",
}


# --- one call, and what it did -------------------------------------------------------------
def operands_of(mistake: Mutant, p: Problem) -> dict[str, np.ndarray]:
    """What the call reads; a double backward has both operands and two directions."""
    if not mistake.ops or mistake.ops[0] not in SECOND:
        return p.operands
    drawn = {role: p.draw(role) for role in ("x", "w", "gy")}
    return drawn | {"v": p.draw("x", tag="v"), "u": p.draw("w", tag="u")}


def asked(mistake: Mutant, p: Problem) -> tuple[str, ...]:
    """The ops of the call: those of a double backward are no ops of a problem."""
    return mistake.ops if mistake.ops and mistake.ops[0] in SECOND else (p.op,)


class Memory:
    """The operands of a call as they are laid out, NaN around them."""

    def __init__(self, p: Problem, operands: dict[str, np.ndarray]):
        self.buffers, self.views = {}, {}
        for role, a in operands.items():
            like = {"v": "x", "u": "w"}.get(role, role)
            where = place(like, a.shape, "contiguous" if role in "uv" else p.layout, batched=p.spec.batch is not None)
            buffer = np.zeros(where.elements * a.itemsize + 64, np.uint8)
            start = -buffer.ctypes.data % 64
            self.buffers[role] = buffer[start : start + where.elements * a.itemsize].view(a.dtype)
            self.buffers[role][:] = np.nan
            steps = tuple(n * a.itemsize for n in where.strides)
            self.views[role] = np.ndarray(a.shape, a.dtype, self.buffers[role], where.offset * a.itemsize, steps)
        self.fill(operands)

    def fill(self, operands: dict[str, np.ndarray]) -> None:
        for role, a in operands.items():
            self.views[role][...] = a

    def bits(self) -> dict[str, bytes]:
        return {role: b.tobytes() for role, b in self.buffers.items()}


def symptoms(mistake: Mutant, p: Problem, oracle: Oracle) -> set[str]:
    """What is wrong with calls on the numbers of a problem, two in a row and one after a call on others."""
    STATE.clear()
    code, found = attribute(get(f"mutant-{mistake.name}").address), set()
    if mistake.name in BEFORE:
        earlier = Problem.parse(BEFORE[mistake.name])
        code(earlier.spec, earlier.op, Memory(earlier, earlier.operands).views, {})
    mine = operands_of(mistake, p)
    others = {role: a if role in "uv" else p.draw(role, tag="next") for role, a in mine.items()}
    for op in asked(mistake, p):
        memory, kept = Memory(p, mine), []
        for operands in (mine, mine, others, mine):
            memory.fill(operands)
            before = memory.bits()
            try:
                out = code(p.spec, op, memory.views, {})
                found |= {"touched"} if memory.bits() != before else set()
                found |= faults(oracle, p, op, operands, out)
                found |= {"aliased" for b in memory.buffers.values() if np.shares_memory(out, b)}
                found |= {"stale" for array, bits in kept if array.tobytes() != bits}
                kept.append((out, out.tobytes()))
            except Exception as error:
                return found | {type(error).__name__}
        if not found and len({kept[n][1] for n in (0, 1, 3)}) > 1:
            found.add("other bits")
    return found


def faults(oracle: Oracle, p: Problem, op: str, operands: dict[str, np.ndarray], out: np.ndarray) -> set[str]:
    answer, allowed = oracle(p.spec, op, operands, "plain")
    if out.shape != answer.R.shape:
        return {"shape"}
    if out.dtype.name != p.dtype:
        return {"dtype"}
    return set() if judge(Claim.of_answer(out, answer, allowed)) is None else {"value"}


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle()


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(time_limit=0.5) as sandbox:
        yield sandbox


@pytest.fixture
def two_threads() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def has_all(mistake: Mutant, p: Problem) -> bool:
    views = Memory(p, operands_of(mistake, p)).views
    return all(TRIGGERS[word].holds(p.spec, p.op, views) for word in mistake.needs)


def holds(word: str, mistake: Mutant, p: Problem) -> bool:
    return TRIGGERS[word].holds(p.spec, p.op, Memory(p, operands_of(mistake, p)).views)


def first(mistake: Mutant, words: tuple[str, ...], test: Callable[[Problem], object], count: int = 150) -> Problem | None:
    """The first problem of its ops that passes the test, of `count` among which these triggers are likely."""
    if words == mistake.needs and mistake.name in LINES and test(Problem.parse(LINES[mistake.name])):
        return Problem.parse(LINES[mistake.name])
    ops = mistake.ops or WHOLE.ops
    scope = Scope(ops=("dgrad",) if ops[0] in SECOND else ops, macs=3_000)
    for word in words:
        met = scope.meet(Scope(**FIELDS.get(word, {})))
        scope = met if met and possible(met) else scope
    return next((drawn.problem for drawn in chance(scope, Random(1), count) if test(drawn.problem)), None)


# --- the tests -----------------------------------------------------------------------------------
ENDS = [m for m in MINE if m.defect == "process" and not m.name.startswith("leaves")]
RETURNS = [m for m in MINE if m not in ENDS]


@pytest.mark.parametrize("mistake", RETURNS, ids=lambda m: m.name)
def test_a_mutant_is_wrong_where_its_triggers_hold(oracle, two_threads, mistake):
    found = first(mistake, mistake.needs, lambda p: has_all(mistake, p) and symptoms(mistake, p, oracle))

    assert found, "right on all problems that were drawn"


@pytest.mark.parametrize("mistake", [m for m in RETURNS if set(m.needs) - {*ALWAYS}], ids=lambda m: m.name)
def test_a_mutant_is_right_where_a_trigger_is_missing(oracle, one_thread, mistake):
    for word in sorted(set(mistake.needs) - {*ALWAYS}):
        rest = tuple(w for w in mistake.needs if w != word)

        lacking = first(mistake, rest, lambda p, word=word: not holds(word, mistake, p))

        assert lacking, f"every problem has {word!r}"
        assert symptoms(mistake, lacking, oracle) == set(), lacking


@pytest.mark.parametrize("mistake", ENDS, ids=lambda m: m.name)
def test_a_mutant_ends_its_process_where_its_triggers_hold_and_only_there(box, oracle, mistake):
    def reply(p: Problem):
        request = Request(spec=p.spec, op=p.op, dtype=p.dtype, operands=p.operands, layout=p.layout)
        return box.call(target_of(get(f"mutant-{mistake.name}")), request)

    having = first(mistake, mistake.needs, lambda p: has_all(mistake, p))
    lacking = first(mistake, (), lambda p: not has_all(mistake, p))

    assert reply(having).ending is not Ending.ANSWERED
    assert faults(oracle, lacking, lacking.op, lacking.operands, reply(lacking).output) == set()


@pytest.mark.parametrize("mistake", MINE, ids=lambda m: m.name)
def test_a_mutant_names_a_report_and_a_clone_its_original(mistake):
    assert NUMBERED.fullmatch(mistake.thread)
    assert not mistake.like or mistake.like in {m.name for m in all_mutants() if not m.like}


def test_what_a_process_is_left_with_is_what_it_had(oracle):
    p = replace(Problem.parse("n1c2k2_x5_r2 fprop float32 tiny"), fill="tiny")
    for name in ("leaves-rounding-upward", "leaves-subnormals-off"):
        symptoms(next(m for m in MINE if m.name == name), p, oracle)

    assert np.float32(2.0**-126) / np.float32(2) > 0
    assert np.float32(1) + np.float32(2.0**-30) == 1
