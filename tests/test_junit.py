"""JUnit XML: read back by a parser, whatever code under test puts into its messages."""

from __future__ import annotations

from xml.etree import ElementTree as xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlaws.junit import MOST_TEXT, junit
from convlaws.results import Finding, Verdict


def finding(verdict=Verdict.BROKEN, **changed) -> Finding:
    return Finding(**{"method": "m", "law": "l", "op": "fprop", "verdict": verdict, **changed})


def case(f: Finding) -> xml.Element:
    return xml.fromstring(junit([f])).find("testsuite/testcase")


@pytest.mark.parametrize(
    ("verdict", "known", "tag"),
    [
        (Verdict.KEPT, "", None),
        (Verdict.BROKEN, "", "failure"),
        (Verdict.CRASHED, "", "error"),
        (Verdict.HUNG, "", "error"),
        (Verdict.REFUSED, "", "skipped"),
        (Verdict.VACUOUS, "", "skipped"),
        (Verdict.BROKEN, "torch#1", "skipped"),
        (Verdict.CRASHED, "torch#1", "skipped"),
    ],
)
def test_a_verdict_becomes_its_element(verdict, known, tag):
    found = case(finding(verdict, known=known, message="why", problem="n1c1k1_x5_r3"))

    assert [child.tag for child in found] == ([] if tag is None else [tag])
    assert found.attrib["name"] == "l[fprop]"
    for child in found:
        assert "why" in child.attrib["message"]
        assert "n1c1k1_x5_r3" in child.attrib["message"]
        assert known in child.attrib["message"]


@pytest.mark.parametrize(
    "text",
    ["", "\n", "\x00\x01\x1b[31mred\x1b[0m", "]]>", "<!-- & --> <testcase/>", "\ud800 lone surrogate", "\ufffe\uffff",
     "a" * 2**20, "\x0b\n" * 1000],
    ids=lambda t: repr(t)[:12],
)  # fmt: skip
@pytest.mark.parametrize("field", ["message", "method", "law", "says", "problem", "known"])
def test_hostile_text_leaves_the_file_well_formed_and_small(field, text):
    written = junit([finding(**{field: text}), finding(Verdict.KEPT)])

    root = xml.fromstring(written.encode())

    assert len(root.findall("testsuite/testcase")) == 2
    assert len(written) < 20 * MOST_TEXT


@given(text=st.text())
def test_any_message_survives_but_for_what_xml_cannot_hold(text):
    found = case(finding(message="first\n" + text))

    assert found.find("failure").attrib["message"].startswith("first")


def test_suites_count_their_cases():
    rows = [finding(v, law=v, seconds=0.5) for v in (Verdict.KEPT, Verdict.BROKEN, Verdict.CRASHED, Verdict.VACUOUS)]

    suites = xml.fromstring(junit([*rows, finding(method="other")])).findall("testsuite")

    assert [s.attrib for s in suites] == [
        {"name": "m", "tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "2.000"},
        {"name": "other", "tests": "1", "failures": "1", "errors": "0", "skipped": "0", "time": "0.000"},
    ]


def test_no_finding_is_a_file_too():
    assert xml.fromstring(junit([])).tag == "testsuites"
