"""Findings as lines of JSON: they come back as they were, and a line that is none is an error with its number."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlaws.errors import SchemaError
from convlaws.records.finding import SCHEMA, Finding, Verdict, load, summary_line
from convlaws.records.run_file import read_records

WORDS, COUNT = st.text(max_size=20), st.integers(0, 10**9)
FINDINGS = st.builds(
    Finding,
    method=WORDS, law=WORDS, op=WORDS, verdict=st.sampled_from(Verdict), problem=WORDS, message=WORDS, examples=COUNT,
    seconds=st.floats(0, 1e6), worst_ratio=st.floats(0, 1e300), signature=WORDS, known=WORDS, flaky=WORDS,
    history=st.lists(WORDS, max_size=3), drawn=COUNT, vacuous=st.dictionaries(WORDS, COUNT, max_size=3),
    error_histogram=st.lists(COUNT, max_size=3),
    evidence=st.dictionaries(WORDS, st.lists(WORDS, max_size=2), max_size=2),
)  # fmt: skip


def line(**changed) -> str:
    record = json.loads(Finding(method="m", law="l", op="fprop", verdict=Verdict.KEPT).to_line())
    return json.dumps({k: v for k, v in {**record, **changed}.items() if v is not None})


@given(finding=FINDINGS)
def test_a_finding_comes_back_from_its_line(finding):
    text = finding.to_line()

    assert text.isascii()
    assert "\n" not in text
    assert Finding.from_line(text) == finding


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_line_never_holds_nan_or_infinity(value):
    finding = Finding(method="m", law="l", op="fprop", verdict=Verdict.KEPT, worst_ratio=value)

    with pytest.raises(ValueError, match="not JSON compliant"):
        finding.to_line()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no JSON"),
        ("[1]", "no record: it should be an object with a 'kind'"),
        ('{"schema": 1}', "no record"),
        ('{"kind": "finding", "schema": 99}', f"schema 99, this reads {SCHEMA}"),
        ('{"kind": "finding"}', "schema None"),
        (line(verdict="fine"), "'fine' is not a valid Verdict"),
        (line(law=None, op=None), "the finding has no law, op"),
    ],
)
def test_a_line_that_is_no_record_is_an_error_with_its_number(text, reason, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join([line(), summary_line(total=1), text]))

    with pytest.raises(SchemaError) as caught:
        list(read_records(path))

    assert str(caught.value).startswith(f"{path}:3: ")
    assert reason in str(caught.value)


def test_reading_gives_findings_and_summaries_in_their_order(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join([line(method="a"), summary_line(total=2), "", line(method="b")]))

    first, summary, second = read_records(path)

    assert (first.method, summary["total"], second.method) == ("a", 2, "b")


def test_a_summary_is_no_finding():
    with pytest.raises(SchemaError, match="a 'summary' record where a finding should be"):
        Finding.from_line(summary_line(total=2))


def test_a_field_of_a_later_program_is_left_out():
    assert Finding.from_line(line(colour="red")) == Finding.from_line(line())


def test_an_id_tells_failures_apart_and_not_how_long_they_took():
    def finding(verdict, **changed):
        return Finding(method="m", law="l", op="fprop", verdict=verdict, **changed).id

    assert finding(Verdict.BROKEN, problem="a") != finding(Verdict.BROKEN, problem="b")
    assert finding(Verdict.BROKEN, signature="nan") != finding(Verdict.BROKEN, signature="value")
    assert finding(Verdict.KEPT, problem="a") == finding(Verdict.KEPT, problem="b")
    assert finding(Verdict.BROKEN, seconds=1) == finding(Verdict.BROKEN, seconds=2)


def test_what_is_bad_is_what_the_method_did_wrong():
    assert [v for v in Verdict if v.bad] == [Verdict.BROKEN, Verdict.CRASHED, Verdict.HUNG]


def test_a_summary_holds_what_it_was_given():
    assert load(summary_line(seed=3, total=9)) == {"kind": "summary", "schema": SCHEMA, "seed": 3, "total": 9}
