"""A ledger of the user's own: recorded from a run, strict afterwards; and what --fail-on and pyproject.toml say."""

from __future__ import annotations

import json

import pytest
import scripts

from convlaws.cli.check import exit_code
from convlaws.errors import SchemaError
from convlaws.known import load
from convlaws.records.finding import LEAST, Finding, Verdict
from convlaws.targets.registry import get

WORDS = ("check", "scripted", "--law", "equals-the-definition", "--op", "fprop", "--examples", "25", "--workers", "1")
CRASH = {"do": "crash", "needs": ["amx_tile"], "where": {"dtype": "bfloat16"}}


def finding(verdict: Verdict, method: str = "m", **fields) -> Finding:
    return Finding(method=method, law="w", op="fprop", verdict=verdict, **fields)


# --- exit codes -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fail_on", "method", "expected"),
    [
        ("new", "torch-onednn", 1),
        ("new", "loop", 1),
        ("own", "torch-onednn", 0),
        ("own", "loop", 1),
        ("never", "torch-onednn", 0),
        ("never", "loop", 0),
    ],
)
def test_fail_on_says_whose_failures_end_a_run_with_1(fail_on, method, expected):
    found = [finding(Verdict.BROKEN, method), finding(Verdict.KEPT, "im2col", examples=LEAST)]

    assert exit_code(found, [get("torch-onednn"), get("loop"), get("im2col")], fail_on) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([finding(Verdict.VACUOUS)], 5),
        ([finding(Verdict.REFUSED)], 5),
        ([finding(Verdict.BROKEN, known="k", examples=3, failed=3)], 5),
        ([finding(Verdict.BROKEN, known="k", examples=LEAST + 3, failed=3)], 0),
        ([finding(Verdict.KEPT, examples=LEAST)], 0),
        ([], 5),
    ],
)
def test_nothing_verified_is_5_whatever_is_known(found, expected):
    assert exit_code(found) == expected


# --- recorded, green, strict ------------------------------------------------------------------
@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """(folder, a run where the engine crashes on AMX only, the recording, the ledger)."""
    folder = tmp_path_factory.mktemp("ledger")
    run = scripts.convlaws(*WORDS, "--json", "new.jsonl", cwd=folder, **told(folder, "AVX512_CORE_AMX"))
    record = scripts.convlaws("known", "add", "new.jsonl", "-o", "known.json", cwd=folder)
    return folder, run, record, json.loads((folder / "known.json").read_text())


def told(folder, level: str, *rules) -> dict[str, str]:
    return scripts.script(folder, *(rules or (CRASH,))) | scripts.processor(folder, level)


def test_a_crash_that_needs_a_processor_is_no_failure_on_another(recorded):
    folder, *_ = recorded

    done = scripts.convlaws(*WORDS, cwd=folder, **told(folder, "AVX512_CORE_FP16"))

    assert done.returncode == 0, done.stdout


def test_it_is_new_where_it_shows_and_the_last_lines_say_how_to_record_it(recorded):
    _, run, _, _ = recorded

    assert run.returncode == 1
    assert "1 failing line new on this processor (Scripted AVX512_CORE_AMX, amx)" in run.stdout
    assert "convlaws known add new.jsonl -o known.json" in run.stdout


def test_an_entry_has_the_line_the_version_the_processor_and_what_failed(recorded):
    _, _, record, [entry] = recorded

    assert record.returncode == 0
    assert (entry["methods"], entry["package"], entry["versions"]) == (["scripted"], "scripted-engine", "==1.0")
    assert entry["signatures"] == ["SIGSEGV"]
    assert entry["processor"] == ["amx_tile", "amx_bf16"]
    assert entry["lines"][0].split()[1:3] == ["fprop", "bfloat16"]
    assert entry["regions"][0]["dtypes"] == ["bfloat16"]
    assert "SIGSEGV" in entry["sentence"]


def test_with_the_ledger_the_run_is_green_and_says_what_is_known(recorded):
    folder, *_, [entry] = recorded

    done = scripts.convlaws(*WORDS, "--known", "known.json", cwd=folder, **told(folder, "AVX512_CORE_AMX"))

    assert done.returncode == 0, done.stdout
    assert entry["id"] in done.stdout
    assert "no new failure" in done.stdout


def test_another_mistake_in_the_same_place_is_new(recorded):
    folder, *_ = recorded
    rules = ({**CRASH, "do": "wrong"},)

    done = scripts.convlaws(*WORDS, "--known", "known.json", cwd=folder, **told(folder, "AVX512_CORE_AMX", *rules))

    assert done.returncode == 1
    assert "breaks equals-the-definition" in done.stdout


def test_a_repaired_one_fails_the_run_until_it_is_taken_out(recorded):
    folder, *_, [entry] = recorded
    nothing = ({"do": "crash", "needs": ["no_such_extension"]},)

    done = scripts.convlaws(*WORDS, "--known", "known.json", cwd=folder, **told(folder, "AVX512_CORE_AMX", *nothing))
    elsewhere = scripts.convlaws(*WORDS, "--known", "known.json", cwd=folder, **told(folder, "AVX2"))

    assert (done.returncode, elsewhere.returncode) == (1, 0)
    assert f"known finding {entry['id']}: fixed" in done.stdout
    assert "take it out of known.json" in done.stdout


def test_recording_again_adds_nothing_twice(recorded):
    folder, _, _, before = recorded

    again = scripts.convlaws("known", "add", "new.jsonl", "-o", "known.json", cwd=folder)

    assert again.returncode == 0
    assert json.loads((folder / "known.json").read_text()) == before


def test_a_run_without_a_new_failure_has_nothing_to_record(recorded, tmp_path):
    folder, *_ = recorded
    (tmp_path / "kept.jsonl").write_text(finding(Verdict.KEPT).to_line() + "\n")

    done = scripts.convlaws("known", "add", tmp_path / "kept.jsonl", "-o", "other.json", cwd=folder)

    assert done.returncode == 2
    assert "has no new failure: there is nothing to record" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value"),
        ("{}", "it should hold a list of known findings"),
        ('["k"]', "an entry is a str, it should be an object"),
        ('[{"id": "k", "methods": "loop"}]', "'k' has the methods 'loop', it should be a list"),
        ('[{"id": "k", "methods": ["loop"], "file": "x"}]', "which says where an entry stands"),
    ],
)
def test_a_file_that_is_no_ledger_is_refused_with_its_name(tmp_path, text, said):
    (tmp_path / "mine.json").write_text(text)

    with pytest.raises(SchemaError) as caught:
        load([tmp_path / "mine.json"])

    assert str(tmp_path / "mine.json") in str(caught.value)
    assert said in str(caught.value)


def test_an_id_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "mine.json").write_text('[{"id": "torch-half-partials", "methods": ["loop"]}]')

    with pytest.raises(SchemaError, match="stands twice, in the package and in "):
        load([tmp_path / "mine.json"])


def test_without_the_ledger_of_the_package_only_the_files_count(tmp_path):
    (tmp_path / "mine.json").write_text('[{"id": "k", "methods": ["loop"]}]')

    assert [entry.id for entry in load([tmp_path / "mine.json"], package=False).entries] == ["k"]


# --- [tool.convlaws] ------------------------------------------------------------------------------
def configured(folder, text: str, *words, **variables):
    (folder / "pyproject.toml").write_text(f"[tool.convlaws]\n{text}\n")
    (folder / "deeper").mkdir(exist_ok=True)
    return scripts.convlaws("check", *words, cwd=folder / "deeper", **variables)


def test_options_of_check_stand_in_pyproject_and_the_command_line_goes_before_them(tmp_path):
    text = 'law = ["equals-the-definition"]\nop = ["fprop"]\nexamples = 25\nworkers = 1\njson = "out.jsonl"\nfail-on = "never"'

    done = configured(tmp_path, text, "loop", "--op", "wgrad")

    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert done.returncode == 0, done.stderr
    assert {(f["law"], f["op"]) for f in found if f["kind"] == "finding"} == {("equals-the-definition", "wgrad")}


def test_known_findings_of_pyproject_lie_beside_it(tmp_path):
    (tmp_path / "mine.json").write_text("no list")

    done = configured(tmp_path, 'known = ["mine.json"]', "loop", "--examples", "1")

    assert done.returncode == 2
    assert f"{tmp_path / 'mine.json'}: " in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('colour = "red"', "[tool.convlaws] has 'colour', which is no option of check"),
        ("buget = 3", "'buget', which is no option of check; near: budget"),
        ("examples = [1, 2]", "examples = [1, 2], which is not one value"),
        ('fail-on = "always"', "'always' is not one of 'new', 'own', 'never'"),
        ("= 3", "cannot be read"),
    ],
)
def test_what_is_wrong_in_pyproject_is_one_line(tmp_path, text, said):
    done = configured(tmp_path, text, "loop")

    assert done.returncode == 2
    assert said in done.stderr
