"""Whether a known finding still shows: hand-made entries about methods of ours, run for real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata

import pytest
import scripts
from click.testing import CliRunner
from commands import convlaws, records, refused

from convlaws import known
from convlaws.cli.app import cli
from convlaws.judge.known_status import State, known_status, no_longer_failing
from convlaws.judge.replay import FRESH
from convlaws.known import Known, Ledger
from convlaws.problem.problem import Problem
from convlaws.records.finding import Finding, Verdict
from convlaws.records.tallies import shares
from convlaws.sandbox.sandbox import Sandbox
from convlaws.targets.isa import LEVELS
from convlaws.targets.registry import get

SHOWN = "n1c1k1_x3_r2_s1_p0_d2_g1 fprop float32 contiguous integers seed=0"
KEPT = "n1c1k1_x3_r2_s1_p0_d1_g1 fprop float32 contiguous integers seed=0"
MUTANT = "mutant-forgotten-dilation"


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def entry(*lines: str, **fields) -> Known:
    plain = {"id": "k", "methods": (MUTANT,), "laws": ("equals-the-definition", "homogeneous"), "lines": lines}
    return Known(**{**plain, **fields})


# --- the states ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("found", "state", "why", "surprise"),
    [
        (entry(SHOWN), State.SHOWS, "", False),
        (entry(SHOWN, KEPT), State.SHOWS, "1 of its 2 lines", False),
        (entry(KEPT), State.FIXED, "", True),
        (entry(KEPT, package="numpy", versions=">=1"), State.FIXED, "none of its lines shows it in 3 fresh processes", True),
        (entry(KEPT, package="numpy", versions="<1"), State.FIXED, "is outside of its versions <1", False),
        (entry(KEPT, package="numpy", versions=">=99"), State.NOT_REPRODUCIBLE, "is outside of its versions >=99", False),
        (entry(SHOWN, package="numpy", versions="<1"), State.SHOWS, "is outside of its versions <1", True),
        (entry(KEPT, processor=("avx9000",)), State.ELSEWHERE, "the processor has no avx9000", False),
        (entry(SHOWN, processor=("avx9000",)), State.SHOWS, "", False),
        (entry(SHOWN, signatures=("nan",)), State.FIXED, "", True),
        (entry(SHOWN, package="nowhere-at-all"), State.CANNOT, "nowhere-at-all is not installed", False),
        (entry(SHOWN, methods=("cuda-cudnn",)), State.CANNOT, "CUDA", False),
        (entry(), State.CANNOT, "it has no lines", False),
    ],
)
def test_each_state_says_why(found, state, why, surprise, box):
    stands = known_status(found, box)

    assert (stands.state, stands.surprise) == (state, surprise)
    assert why in stands.why


def test_what_shows_in_some_rounds_is_flaky(scripted):
    scripted({"do": "flaky"})  # wrong in the first process that is ever asked

    with Sandbox() as own:
        stands = known_status(entry(KEPT, methods=("scripted",)), own)

    assert str(stands) == f"flaky 1/{FRESH}"


@pytest.mark.parametrize(
    ("level", "held", "state", "why"),
    [
        ("AVX512_CORE_BF16", None, State.SHOWS, ""),
        ("AVX512_CORE_FP16", None, State.SHOWS, ""),
        ("AVX512_CORE", None, State.ELSEWHERE, "the processor has no avx512_bf16"),
        ("AVX512_CORE_BF16", "AVX512_CORE", State.ELSEWHERE, "the processor has no avx512_bf16"),
    ],
)
def test_what_depends_on_the_processor_shows_where_the_process_has_it(scripted, monkeypatch, level, held, state, why):
    scripted({"do": "wrong", "needs": ["avx512_bf16"]}, level=level)
    if held:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", held)

    with Sandbox() as own:
        stands = known_status(entry(KEPT, methods=("scripted",), processor=("avx512_bf16",)), own)

    assert (stands.state, stands.why, stands.surprise) == (state, why, False)


def test_only_what_does_not_show_is_told_after_a_search(box):
    asked = [entry(SHOWN, id="there"), entry(KEPT, id="fixed"), entry(KEPT, id="nowhere", package="nowhere-at-all")]

    absent, left = no_longer_failing(asked, box)

    assert ([s.entry.id for s in absent], left) == (["fixed"], [])


def cpuinfo(folder, monkeypatch, flags: str) -> None:
    """Let the processor be one that has these extensions."""
    file = folder / "cpuinfo"
    file.write_text(f"model name : Ours\nflags : {flags}\n")
    monkeypatch.setenv("CONVLAWS_CPUINFO", str(file))
    for name in (*scripts.RESTRAINTS, "OPENBLAS_CORETYPE"):
        monkeypatch.delenv(name, raising=False)


# --- processors -----------------------------------------------------------------------------
def test_an_entry_about_another_processor_explains_nothing():
    assert not entry(SHOWN, processor=("avx9000",)).is_about(MUTANT)
    assert entry(SHOWN, processor=("!avx9000",)).is_about(MUTANT)


def test_what_a_variable_hides_from_a_library_its_entries_cannot_show(monkeypatch, tmp_path):
    cpuinfo(tmp_path, monkeypatch, "avx2 avx512f avx512_bf16")
    about = entry(SHOWN, methods=("torch-onednn",), laws=("*",), processor=("avx2", "!avx512f"))

    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    held = Ledger([about]).explains(get("torch-onednn"), "homogeneous", Problem.parse(SHOWN), lambda name: True)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    free = Ledger([about]).explains(get("torch-onednn"), "homogeneous", Problem.parse(SHOWN), lambda name: True)
    at_level = Ledger([about]).explains(
        get("torch-onednn").at_level(LEVELS["avx2"]), "homogeneous", Problem.parse(SHOWN), lambda name: True
    )

    assert (held, free, at_level) == ("k", "", "k")


@pytest.mark.parametrize(
    ("flags", "state", "why"),
    [
        ("avx2 amx_tile", State.ELSEWHERE, "numpy {v} showed it on Other"),
        ("avx2", State.FIXED, "none of its lines shows it"),
    ],
)
def test_the_same_version_is_fixed_only_where_the_processor_is_one_that_showed_it(flags, state, why, box, tmp_path, monkeypatch):
    cpuinfo(tmp_path, monkeypatch, "avx2")
    version = metadata.version("numpy")
    seen = ({"version": version, "cpu": "Other", "flags": flags},)

    stands = known_status(entry(KEPT, package="numpy", versions=">=1", seen=seen), box)

    assert stands.state is state
    assert why.format(v=version) in stands.why


def test_what_was_flaky_where_it_was_seen_is_not_fixed_by_three_passes(box):
    assert known_status(entry(KEPT, flaky="1/3"), box).state is State.NOT_REPRODUCIBLE


# --- shares ---------------------------------------------------------------------------------
def test_a_share_counts_each_cell_once_though_it_has_two_findings():
    cell = {"method": "m", "law": "w", "op": "fprop", "drawn": 20, "explained": {"k": 3}, "avoided": {"a": 5}}
    twice = [Finding(verdict=Verdict.BROKEN, known="k", **cell), Finding(verdict=Verdict.BROKEN, **cell)]
    other = Finding(verdict=Verdict.KEPT, method="m", law="v", op="fprop", drawn=25)

    avoided, explained = shares([*twice, other])

    assert (avoided.id, avoided.avoided, avoided.cases, avoided.share) == ("a", 5, 50, 0.1)
    assert (explained.id, explained.explained, explained.cells, explained.share) == ("k", 3, 1, 0.06)


# --- the command ------------------------------------------------------------------------------
def test_the_ledger_is_listed_with_threads_and_shares():
    plain, as_json = convlaws("known", "torch-half*"), convlaws("known", "--json")

    assert (plain.returncode, as_json.returncode) == (0, 0)
    assert "thread: pytorch/pytorch#68048" in plain.stdout
    listed = {k["id"]: k for k in json.loads(as_json.stdout)}
    assert listed.keys() == {k.id for k in known.load().entries}
    assert 0.1 < listed["torch-half-partials"]["covered"] < 0.9
    assert all(0 <= k["covered"] < 1 for k in listed.values())
    assert all(k["thread"] or k["searched"] for k in listed.values())


@pytest.mark.parametrize(("rule", "state", "times", "code"), [({"do": "wrong"}, "shows", FRESH, 0), ({}, "fixed", 0, 1)])
def test_the_lines_of_the_ledger_are_run(scripted, monkeypatch, rule, state, times, code):
    scripted(*filter(None, [rule]))
    monkeypatch.setattr(
        known, "load", lambda *files: Ledger([entry(KEPT, methods=("scripted",), package="numpy", versions=">=1")])
    )

    done = CliRunner().invoke(cli, ["known", "--check", "k", "--json"])

    [found] = json.loads(done.stdout)
    assert (found["state"], found["lines"]) == (state, {KEPT: times})
    assert done.exit_code == code


def test_the_lines_about_a_released_engine_are_run_and_stand_somehow():
    done = convlaws("known", "--check", "torch-half-partials", "--json")

    [found] = json.loads(done.stdout)
    assert found["state"] in set(State)
    assert found["why"] or found["state"] == State.SHOWS
    assert done.returncode == found["surprise"]


def test_an_id_that_is_none_is_refused_in_a_line():
    said = refused("known", "nothing")

    assert "no known finding 'nothing'; there are " in said
    assert "torch-half-partials" in said


# --- the same findings in a function of somebody's -----------------------------------------------
def test_a_function_is_known_as_the_row_that_is_at_work_in_it(tmp_path):
    out = tmp_path / "out.jsonl"
    (tmp_path / "mine.py").write_text("from scripted.functions import conv1d as conv\n")
    (tmp_path / "lines.txt").write_text("n2c1k1_x4_r1_s1_p0_d1_g1 wgrad float16 contiguous integers seed=0\n")
    words = ("check", "mine.py:conv", "--signature", "conv1d", "--problems", "lines.txt", "--law", "equals-the-definition")
    told = scripts.script(tmp_path, {"do": "half-partials", "where": {"op": "wgrad", "dtype": "float16"}})

    new = scripts.convlaws(*words, cwd=tmp_path, **told)
    known_as = scripts.convlaws(*words, "--known-as", "torch-onednn", "--json", out, cwd=tmp_path, **told)

    assert (new.returncode, known_as.returncode) == (1, 5), new.stdout + known_as.stdout
    [found, summary] = records(out)
    assert found["known"] == "torch-half-partials"
    [hidden] = summary["known_findings"]
    assert (hidden["id"], hidden["explained"], hidden["share"]) == ("torch-half-partials", 1, 1.0)
    assert "no method or engine 'torch-one'" in refused(*words, "--known-as", "torch-one", cwd=tmp_path)


@pytest.mark.parametrize(("level", "explained"), [("AVX512_CORE_BF16", True), ("AVX512_CORE_AMX", True), ("AVX512_CORE", False)])
def test_a_finding_about_a_processor_explains_failures_on_that_one_only(tmp_path, level, explained):
    out = tmp_path / "out.jsonl"
    line = "n1c1k1_x1_r1_s1_p0_d1_g1 fprop bfloat16 contiguous tiny seed=0"  # of onednn-bf16-subnormals
    (tmp_path / "lines.txt").write_text(line + "\n")
    told = scripts.script(tmp_path, {"do": "flush"}) | scripts.processor(tmp_path, level)
    words = ("check", "scripted", "--problems", "lines.txt", "--law", "equals-the-definition", "--known-as", "torch-onednn")

    done = scripts.convlaws(*words, "--json", out, cwd=tmp_path, **told)

    [found, _] = records(out)
    assert (found["verdict"], found["known"]) == ("broken", "onednn-bf16-subnormals" if explained else "")
    assert done.returncode == (5 if explained else 1), done.stdout  # nothing was verified, whatever is known
