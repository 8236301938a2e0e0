"""The JSON Schema of a findings file: real files obey it, and it says of a finding what the dataclass says."""

from __future__ import annotations

import json
from dataclasses import fields
from importlib import resources
from pathlib import Path

import pytest
from commands import typed
from findings_made import made

from convlaws.problem.problem import OPS
from convlaws.records.finding import HOLDS, SCHEMA, Finding, Verdict, summary_line

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads(resources.files("convlaws.reports").joinpath("findings.schema.json").read_text())
FINDING = DOCUMENT["$defs"]["finding"]["properties"]
# a declared type, and what the schema says of it
TYPES = {
    "str": {"type": "string"},
    "int": {"type": "integer", "minimum": 0},
    "float": {"type": "number", "minimum": 0},
    "dict": {"type": "object"},
    "list[str]": {"type": "array", "items": {"type": "string"}},
    "list[int]": {"type": "array", "items": {"type": "integer", "minimum": 0}},
    "dict[str, list[str]]": {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    },
    "dict[str, int]": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
}


@pytest.fixture(scope="module")
def check():
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)
    return jsonschema.Draft202012Validator(DOCUMENT).validate


def resolved(entry):
    """A part of the schema without references."""
    if isinstance(entry, dict) and "$ref" in entry:
        target = DOCUMENT["$defs"][entry["$ref"].removeprefix("#/$defs/")]
        return resolved({**target, **{k: v for k, v in entry.items() if k != "$ref"}})
    return {k: resolved(v) for k, v in entry.items()} if isinstance(entry, dict) else entry


def test_the_schema_has_exactly_the_fields_of_a_finding():
    assert set(FINDING) == {f.name for f in fields(Finding)} | {"kind", "id"}


@pytest.mark.parametrize("entry", fields(Finding), ids=lambda f: f.name)
def test_a_field_has_the_type_that_it_is_declared_with(entry):
    said = resolved(FINDING[entry.name])

    assert entry.type in HOLDS
    if entry.name == "verdict":
        assert said["enum"] == [str(v) for v in Verdict]
    elif entry.name == "op":
        assert said["enum"] == list(OPS)
    else:
        assert {k: said[k] for k in TYPES[entry.type]} == TYPES[entry.type]


def test_the_schema_has_this_programs_number():
    assert DOCUMENT["properties"]["schema"] == {"const": SCHEMA}


@pytest.mark.parametrize("verdict", Verdict)
def test_a_finding_of_each_verdict_obeys_it(verdict, check):
    check(json.loads(made(verdict).to_line()))


@pytest.mark.parametrize(
    "change",
    [{"op": "sideways"}, {"examples": -1}, {"examples": "3"}, {"verdict": "fine"}, {"id": "x"}, {"schema": 2}, {"kind": "other"},
     {"history": "a line"}, {"vacuous": {"why": "often"}}, {"method": ""}],
    ids=str,
)  # fmt: skip
def test_what_is_no_record_does_not(change, check):
    with pytest.raises(jsonschema.ValidationError):
        check({**json.loads(made().to_line()), **change})


def test_a_field_is_missed(check):
    record = json.loads(made().to_line())
    del record["law"]

    with pytest.raises(jsonschema.ValidationError):
        check(record)


def test_a_field_of_a_later_program_is_allowed(check):
    check({**json.loads(made().to_line()), "colour": "red"})
    check({**json.loads(summary_line(seed=1)), "colour": "red"})


RUNS = {
    "three methods": (("im2col", "mutant-forgotten-dilation", "winograd2", "--law", "equals-the-definition", "--law", "dil*"),
                      {"kept", "broken", "refused"}),
    "a user's function": ((f"{ROOT}/examples/forgets_dilation.py:conv2d", "--law", "equals-the-definition", "--dtype", "float32"),
                          {"broken"}),
    "given lines": (("im2col", "--problems", "lines.txt", "--law", "equals-the-definition"), {"kept"}),
}  # fmt: skip


@pytest.mark.parametrize(("words", "verdicts"), RUNS.values(), ids=RUNS)
def test_the_files_of_real_runs_obey_it(words, verdicts, check, tmp_path):
    (tmp_path / "lines.txt").write_text("n1c1k1_x5_r3 fprop float32 onehot seed=0\nn1c1k1_x5_r3 wgrad float32 seed=0\n")
    out = tmp_path / "out.jsonl"
    budget = () if "--problems" in words else ("--examples", "20")

    done = typed("check", *words, *budget, "--workers", "1", "--json", out, cwd=tmp_path)

    assert done.returncode in (0, 1), done.stderr
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [r["kind"] for r in records[-2:]] == ["finding", "summary"]
    assert verdicts <= {r["verdict"] for r in records[:-1]}
    for record in records:
        check(record)
    summary = records[-1]
    assert {r["run"] for r in records} == {summary["run"]}
    assert {r["environment"] for r in records[:-1]} == {summary["environment"]["id"]}
    assert set(summary) - {"schema"} <= set(DOCUMENT["$defs"]["summary"]["properties"])


def test_the_command_prints_it():
    done = typed("schema")

    assert json.loads(done.stdout) == DOCUMENT
