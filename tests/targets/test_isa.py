"""ISA levels: what a row's process is held to, what is visible there, and the command with several of them."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import scripts

from convlaws.errors import UnknownName
from convlaws.problem.problem import Problem
from convlaws.targets import isa
from convlaws.targets.registry import get
from convlaws.targets.resolve import Calling, from_dict, resolve

AMX = scripts.FLAGS["AVX512_CORE_AMX"].split()


def held(level: str, *switches: str, **before: str) -> dict[str, str]:
    return isa.variables(isa.LEVELS[level], switches, before)


# --- the table ----------------------------------------------------------------------------
def test_a_level_sets_each_switch_that_the_library_obeys():
    assert held("avx2", "onednn", "aten") == {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    assert held("avx2", "xla", XLA_FLAGS="--a") == {"XLA_FLAGS": "--a --xla_cpu_max_isa=AVX2"}
    assert held("default", "onednn", OTHER="1") == {"OTHER": "1"}


@pytest.mark.parametrize(
    ("variable", "value", "switch", "hidden"),
    [
        ("ONEDNN_MAX_CPU_ISA", "SSE41", "onednn", {"avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_tile"}),
        ("ONEDNN_MAX_CPU_ISA", "avx2", "onednn", {"avx512f", "avx512_bf16", "amx_tile"}),
        ("DNNL_MAX_CPU_ISA", "AVX512_CORE", "onednn", {"avx512_bf16", "amx_tile"}),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI", "onednn", {"avx512_bf16", "amx_tile"}),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16", "onednn", {"amx_tile"}),
        ("ONEDNN_MAX_CPU_ISA", "DEFAULT", "onednn", set()),
        ("ONEDNN_MAX_CPU_ISA", "no level at all", "onednn", set()),
        ("ONEDNN_MAX_CPU_ISA", "AVX2", "aten", set()),
        ("ATEN_CPU_CAPABILITY", "avx2", "aten", {"avx512f", "avx512_bf16", "amx_tile"}),
        ("XLA_FLAGS", "--x=1 --xla_cpu_max_isa=AVX512", "xla", {"avx512_bf16", "amx_tile"}),
    ],
)
def test_a_variable_hides_what_lies_above_its_level(variable, value, switch, hidden):
    watched = {"avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_tile"}

    left = isa.visible(AMX, switch, {variable: value})

    assert watched - left == hidden


def test_levels_are_ordered_by_what_they_leave_visible():
    seen = [isa.visible(AMX, "onednn", held(name, "onednn")) for name in isa.LEVELS if "onednn" in isa.LEVELS[name].values]

    assert all(one < more for one, more in pairwise(seen))


# --- rows at a level ------------------------------------------------------------------------
def test_a_row_at_a_level_has_a_process_of_its_own_and_crosses_into_another():
    row, at = get("torch-onednn"), resolve(["torch-onednn%avx2"], Calling())[0]

    assert (at.name, at.row, at.level) == ("torch-onednn%avx2", "torch-onednn", "avx2")
    assert at.home is not None
    assert dict(at.home.variables)["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert from_dict(at.to_dict()) == at
    assert from_dict(row.to_dict()) == row


def test_a_number_of_threads_is_a_level_of_a_library_that_takes_one():
    torch, loop = get("torch-onednn"), get("loop")

    assert torch.at_level(isa.LEVELS["2threads"]).threads == 2
    assert torch.why_not_at(isa.LEVELS["2threads"]) == ""
    assert loop.why_not_at(isa.LEVELS["2threads"]) == "its library takes no number of threads"


def test_a_level_that_is_none_is_refused_in_a_line():
    with pytest.raises(UnknownName, match="no ISA level 'mmx'; there are default, sse41"):
        resolve(["torch-onednn%mmx"], Calling())


def test_a_processor_without_the_extensions_of_a_level_says_which(tmp_path, monkeypatch):
    monkeypatch.setenv(*scripts.processor(tmp_path, "AVX2").popitem())

    assert get("torch-onednn").at_level(isa.LEVELS["amx"]).absent == "the processor has no amx_tile and has no amx_bf16"
    assert get("ncnn").why_not_at(isa.LEVELS["avx2"]) == "its library has no switch for avx2"


def test_all_is_every_level_that_the_processor_and_the_library_have(tmp_path, monkeypatch):
    monkeypatch.setenv(*scripts.processor(tmp_path, "AVX512_CORE_BF16").popitem())

    found = [m.name for m in resolve(["torch-onednn", "loop"], Calling(isa=("all",)))]

    torch = ["%sse41", "%avx", "%avx2", "%avx512", "%avx512_bf16", "%1thread", "%2threads"]
    assert found[: len(torch) + 1] == ["torch-onednn", *(f"torch-onednn{level}" for level in torch)]
    assert found[len(torch) + 1 :] == ["loop", *(f"loop{level}" for level in torch[:5])]


# --- the command, on the scripted engine --------------------------------------------------------
WORDS = ("--law", "equals-the-definition", "--op", "fprop", "--examples", "20", "--dtype", "float32", "--workers", "1")


@pytest.fixture(scope="module")
def at_levels(tmp_path_factory):
    """A run of the scripted engine at three levels of a processor with AMX, wrong from AVX-512 with bfloat16 on."""
    folder = tmp_path_factory.mktemp("levels")
    told = scripts.script(folder, {"do": "wrong", "needs": ["avx512_bf16"]}) | scripts.processor(folder, "AVX512_CORE_AMX")
    words = ("check", "scripted", "--isa", "avx2,avx512,amx", *WORDS, "--json", "out.jsonl")
    done = scripts.convlaws(*words, cwd=folder, **told)
    return done, [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def test_a_failure_of_some_levels_is_found_at_those_only(at_levels):
    done, records = at_levels

    verdicts = {r["method"]: r["verdict"] for r in records if r["kind"] == "finding"}
    assert verdicts == {"scripted%avx2": "kept", "scripted%avx512": "kept", "scripted%amx": "broken"}
    assert done.returncode == 1


def test_the_record_says_the_level_its_variables_and_where_the_bits_differ(at_levels):
    done, records = at_levels

    levels = records[-1]["levels"]
    assert levels["scripted%avx2"]["variables"]["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert levels["scripted%avx2"]["beside"] == "scripted%amx"
    assert levels["scripted%avx2"]["differ"]["float32"] > 0
    assert Problem.parse(levels["scripted%avx2"]["lines"]["float32"]).dtype == "float32"
    assert "float32: other bits than scripted%amx in " in done.stdout
