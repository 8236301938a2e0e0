"""The tests' own engine: right without a script, and else what its script says, as a row and as a user's function."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import scripts
from engines_in_sandbox import failure, failures, reply
from random_problems import random_problem, within

from convlaws.problem.problem import DTYPES, OPS, Problem
from convlaws.problem.request import Ending
from convlaws.sandbox.sandbox import Sandbox

TAPS = Problem.parse("n2c2k2_x5_r2_s1_p0_d1_g1 fprop float32 contiguous integers seed=1")


@pytest.fixture
def asked(scripted):
    """Calls the row with a script, in a sandbox of its own."""

    def ask(*rules, problem=TAPS, **words):
        row = scripted(*rules, **words)
        with Sandbox(time_limit=2) as box:
            return row, reply(box, row, problem)

    return ask


@pytest.mark.parametrize("op", OPS)
def test_without_a_script_it_is_right(scripted, op):
    row, rng = scripted(), random.Random(op)
    problems = [random_problem(rng, within(row, ops=(op,), dtypes=(dtype,))) for dtype in DTYPES for _ in range(25)]

    assert failures(row, problems) == {}


@pytest.mark.parametrize(
    ("do", "ending", "said"),
    [
        ("crash", Ending.DIED, "SIGSEGV"),
        ("abort", Ending.DIED, "SIGABRT"),
        ("exit", Ending.DIED, "exit status 1"),
        ("hang", Ending.HUNG, "no answer within"),
        ("raise", Ending.RAISED, "as the script says"),
        ("refuse", Ending.REFUSED, "as the script says"),
    ],
)
def test_it_ends_as_the_script_says(asked, do, ending, said):
    _, found = asked({"do": do})

    assert found.ending is ending
    assert said in found.message


@pytest.mark.parametrize("do", ["wrong", "nan", "shape"])
def test_its_answer_is_wrong_where_the_script_says_so(asked, do):
    row, found = asked({"do": do, "where": {"batch": "many", "op": ["fprop", "wgrad"]}})
    _, other = asked({"do": do, "where": {"batch": "one"}})

    assert failure(row, TAPS, found)
    assert failure(row, TAPS, other) == ""


def test_partial_sums_in_half_keep_the_contract_of_storage_only(asked):
    problem = Problem.parse("n2c1k1_x4_r1_s1_p0_d1_g1 wgrad float16 contiguous integers seed=0")

    row, found = asked({"do": "half-partials"}, problem=problem)

    assert failure(row, problem, found, "plain")
    assert failure(row, problem, found, "storage") == ""


def test_what_ran_is_what_the_script_says(asked):
    _, found = asked({"do": "nothing", "ran": "jit:avx2"})

    assert found.ran == "jit:avx2"


@pytest.mark.parametrize(
    ("level", "held", "wrong"),
    [
        ("AVX2", "DEFAULT", False),
        ("AVX512_CORE", "DEFAULT", False),
        ("AVX512_CORE_BF16", "DEFAULT", True),
        ("AVX512_CORE_FP16", "AVX512_CORE_BF16", True),
        ("AVX512_CORE_FP16", "avx512_core", False),
        ("AVX512_CORE_AMX", "SSE41", False),
        ("AVX512_CORE_AMX", "no level at all", True),
    ],
)
def test_it_has_the_processor_that_it_is_told_held_back_as_onednn_holds_it(scripted, monkeypatch, level, held, wrong):
    row = scripted({"do": "wrong", "needs": ["avx512_bf16"]}, level=level)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", held)

    with Sandbox() as box:
        found = reply(box, row, TAPS)

    assert bool(failure(row, TAPS, found)) == wrong


def test_the_command_judges_its_rows_by_several_workers(tmp_path):
    words = ("--law", "equals-the-definition", "--op", "fprop", "--dtype", "float32", "--workers", "2", "--examples", "20")
    rule = {"row": "scripted-too", "do": "wrong"}

    done = scripts.convlaws("check", "scripted*", *words, "--json", tmp_path / "f.jsonl", **scripts.script(tmp_path, rule))
    found = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]

    assert done.returncode == 1, done.stderr
    assert {(f["method"], f["verdict"]) for f in found if f["kind"] == "finding"} == {
        ("scripted", "kept"),
        ("scripted-too", "broken"),
    }


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"])
def test_its_functions_and_their_gradients_are_right(name):
    from convlaws.targets.function import user_method

    method, rng = user_method(f"scripted.functions:{name}", name), random.Random(name)
    problems = [random_problem(rng, method.scope) for _ in range(60)]

    assert failures(method, problems) == {}


def test_words_and_numbers_of_its_functions_are_those_of_torch():
    import torch
    from scripted.functions import conv1d, conv_transpose1d

    x, w = torch.ones(1, 4), torch.ones(1, 1, 3)

    assert conv1d(x, w, padding="same").tolist() == [[2, 3, 3, 2]]
    assert conv1d(x, w, None, 2, 1).tolist() == [[2, 3]]
    assert np.array_equal(conv_transpose1d(x, w, None, 2, 1, 1).numpy(), [[1, 2, 1, 2, 1, 2, 1, 1]])
