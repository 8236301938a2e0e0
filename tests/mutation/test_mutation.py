"""How far the judge sees: hunts, the table of laws, the baselines, their file and the pages that are made of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import resources
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from convlaws.cli.mutants import DATA, pages
from convlaws.errors import SchemaError
from convlaws.judge.replay import repeated
from convlaws.laws import registry
from convlaws.mutants.registry import all_mutants
from convlaws.mutants.survivors import INNOCENT, REASONS
from convlaws.mutation import opinfo, uniform
from convlaws.mutation.baseline import ask
from convlaws.mutation.hunt import hunt
from convlaws.mutation.jobs import QUICK, chores, everybody, state_of
from convlaws.mutation.kills import kills
from convlaws.mutation.pool import lines
from convlaws.mutation.torch_reference import reference
from convlaws.oracle.oracle import answer, floats
from convlaws.problem.formats import FORMATS
from convlaws.problem.problem import Problem
from convlaws.reports.mutation.atlas import Bug, models
from convlaws.reports.mutation.records import read_sight
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.registry import get

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(time_limit=1.0) as sandbox:
        yield sandbox


# --- hunts ------------------------------------------------------------------------------
def test_a_hunt_ends_at_the_first_failure_and_makes_it_small(box):
    found = hunt(get("mutant-forgotten-dilation"), box, 0, 30.0, shrinks=True)

    assert found.found
    assert 0 < found.examples < 500
    assert found.line == "n1c1k1_x3_r2_s1_p0_d2_g1 fprop float32 contiguous integers seed=0"
    assert found.apart == ["extent", "kernel", "dilation"]
    assert found.tries > 0
    assert "equals-the-definition" in found.breaks


def test_a_hunt_of_a_right_method_ends_with_its_time_and_finds_nothing(box):
    found = hunt(get("im2col"), box, 0, 1.0)

    assert not found.found
    assert found.examples > 0
    assert found.line == ""


def test_each_law_is_asked_until_it_kills(box):
    methods = [get(name) for name in ("mutant-flipped-kernel", "mutant-second-image-is-the-first")]
    asked = registry.find(["equals-the-definition", "additive-in-w"])

    killed = kills(methods, box, 0, 60.0, asked)  # it ends as soon as the last pair is killed

    assert killed.keys() == {(m.name, law.name) for m in methods for law in asked}
    for (method, law), line in killed.items():
        outcomes = repeated(get(method), registry.find([law]), [Problem.parse(line)], box)
        assert [str(outcome.verdict) for _, outcome in outcomes] == ["broken"], line


def test_no_law_kills_a_right_method(box):
    assert kills([get("im2col")], box, 0, 2.0) == {}


# --- the baselines ------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["mutant-input-dilation-repeats", "im2col", "torch-native"])
def test_the_reference_of_the_baselines_is_what_the_oracle_says(name):
    asked = list(islice(uniform.questions(get(name), 5), 60))

    for question in asked:
        expected = answer(question.spec, question.op, question.operands)
        dtype = next(iter(question.operands.values())).dtype.name
        got = reference(question.spec, question.op, question.operands).double().numpy()
        one_rounding = 2.0 ** -FORMATS[dtype].bits * np.abs(floats(expected.R).astype(np.float64))
        room = one_rounding * 1.01 + 1e-10 * floats(expected.S).astype(np.float64) + 1e-7
        assert (np.abs(got - floats(expected.R).astype(np.float64)) <= room).all(), question.says


def test_uniform_questions_lie_in_the_scope_and_depend_on_the_seed_only():
    method = get("mutant-flipped-kernel")

    one, again, other = ([q.says for q in islice(uniform.questions(method, seed), 40)] for seed in (1, 1, 2))

    assert one == again != other
    assert not [line for line in one if method.scope.refuses(Problem.parse(line))]
    assert {Problem.parse(line).dtype for line in one} == set(FORMATS)


@pytest.mark.skipif(bool(opinfo.absent()), reason=opinfo.absent() or "-")
def test_the_samples_of_torch_are_asked_in_all_its_ops_and_dtypes():
    asked = list(opinfo.questions(get("im2col"), 0))

    names = {question.says.rpartition(" ")[2] for question in asked}
    assert names == set(opinfo.NAMES)
    assert {q.op for q in asked} == {"fprop", "dgrad", "wgrad", "bgrad"}
    assert {q.layout for q in asked} == set(opinfo.LAYOUTS)
    assert len(asked) > 1000


@pytest.mark.parametrize("questions", [uniform.questions, opinfo.questions], ids=["uniform", "opinfo"])
def test_a_baseline_finds_what_is_easy_and_a_crash(box, questions):
    if questions is opinfo.questions and opinfo.absent():
        pytest.skip(opinfo.absent())
    right = get("im2col")

    wrong, dead = (
        ask(get(name), questions(get(name), 0), box, 20.0, right=right)
        for name in ("mutant-flipped-kernel", "mutant-crashes-on-dilation")
    )

    assert (wrong.found, wrong.how) == (True, "value")
    assert (dead.found, dead.how) == (True, "SIGSEGV")


def test_an_alarm_that_the_right_method_raises_too_is_false_and_no_find(box):
    right = get("im2col")
    asked = islice(uniform.questions(right, 0), 30)
    strict = [type(q)(**{**vars_of(q), "tolerance": {"rtol": 0.0, "atol": 0.0}}) for q in asked]

    found = ask(right, strict, box, 30.0, right=right)

    assert not found.found
    assert 0 < found.alarms <= found.examples == 30


def vars_of(question) -> dict:
    return {name: getattr(question, name) for name in question.__dataclass_fields__}


# --- the command ------------------------------------------------------------------------------
def command(*words: str, folder: Path) -> subprocess.CompletedProcess:
    words = (sys.executable, "-m", "convlaws", "mutants", *words)
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_the_command_finds_writes_and_goes_on_where_it_was_killed(tmp_path):
    words = ("flipped-kernel", "crashes-on-dilation", "chatters", "--quick", "--docs", "docs")
    started = subprocess.Popen([sys.executable, "-m", "convlaws", "mutants", *words], cwd=tmp_path, start_new_session=True)
    work = tmp_path / "build" / "mutants.jsonl"
    while not (work.exists() and work.stat().st_size) and started.poll() is None:
        time.sleep(0.1)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    kept = len(lines(work))
    work.write_text(work.read_text() + '{"chore": "half a li')

    done = command(*words, folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "2 of 2 mutants found" in done.stdout
    assert kept >= 1
    wanted = chores([m for m in everybody() if m.name in words], QUICK, compared=False)
    assert len(lines(work)) == len(wanted) == kept + done.stderr.count("/")
    sight = read_sight(tmp_path / "docs" / DATA)
    assert [m.found for m in sight.guilty] == [True, True]
    innocent = next(m for m in sight.mutants if m.name == "chatters")
    assert innocent not in sight.guilty
    assert not innocent.runs["quest"].found
    assert {name: (tmp_path / "docs" / name).read_text() for name in pages(sight)} == pages(sight)


@pytest.mark.parametrize(("words", "says"), [(("nothing-like-it",), "no mutant"), (("--seeds",), "No such option")])
def test_a_wrong_word_is_a_usage_error(tmp_path, words, says):
    done = command(*words, folder=tmp_path)

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_none_of_chores_is_refused(tmp_path):
    path = tmp_path / "w.jsonl"
    path.write_text('{"kind": "finding"}\n')

    with pytest.raises(SchemaError, match="no file of chores"):
        lines(path)


def test_a_mutant_that_says_something_else_is_hunted_again():
    one = everybody()[:1]
    changed = [type(one[0])(**{**vars(one[0]), "says": "Something else."})]

    before, after = ({c.key for c in chores(some, budgets(), compared=False)} for some in (one, changed))

    assert not before & after


def budgets():
    from convlaws.mutation.jobs import QUICK

    return QUICK


# --- what is published -------------------------------------------------------------------------
def published():
    assert (DOCS / DATA).exists(), f"docs/{DATA} is not there: make mutants"
    return read_sight(DOCS / DATA)


def test_the_pages_are_what_their_records_make():
    sight = published()

    stale = [name for name, text in pages(sight).items() if (DOCS / name).read_text(encoding="utf-8") != text]

    assert not stale, f"{', '.join(stale)} in docs/ are not what docs/{DATA} makes: make mutants"


def test_every_mutant_is_in_the_records_as_it_is_now():
    everybody()

    there = {m.name: m.about["state"] for m in published().mutants}

    stale = [m.name for m in all_mutants() if there.get(m.name) != state_of(m)]
    assert not stale, f"docs/{DATA} is stale, it has not, or not as they are now: {', '.join(stale)}: make mutants"


def test_nothing_in_the_records_is_amiss():
    assert published().complaints() == []


def test_every_documented_bug_has_a_mutant_or_a_reason():
    bugs = [Bug.of(r) for r in json.loads(resources.files("convlaws.mutants").joinpath("threads.json").read_text())]
    sight = published()

    bare = [bug.thread for bug in bugs if not models(bug, sight) and not bug.out]

    assert len(bugs) == 97
    assert bare == []


def test_only_registered_mutants_are_named():
    names = {m.name for m in everybody()}
    bugs = [Bug.of(r) for r in json.loads(resources.files("convlaws.mutants").joinpath("threads.json").read_text())]

    unknown = ({name for bug in bugs for name in bug.mutants} | INNOCENT.keys() | REASONS.keys()) - names

    assert not unknown
