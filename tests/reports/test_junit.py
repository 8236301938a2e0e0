"""JUnit XML: read back by a parser, whatever code under test puts into its messages."""

from __future__ import annotations

from xml.etree import ElementTree as xml

import pytest
from findings_made import FIELDS, HOSTILE, LINE
from hypothesis import given
from hypothesis import strategies as st

from convlaws.records.finding import Finding, Verdict
from convlaws.reports.junit import junit

junitparser = pytest.importorskip("junitparser")
lxml = pytest.importorskip("lxml.etree")


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


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("field", FIELDS)
def test_hostile_text_changes_nothing_but_its_own_case(field, text):
    rows = [finding(**{"problem": LINE, field: text}), finding(Verdict.KEPT, method="other", law="kept")]

    written = junit(rows).encode()

    root = xml.fromstring(written)
    assert len(written) < 30_000
    assert [len(suite) for suite in root] == [1, 1]
    assert [len(case) for case in root.iter("testcase")] == [1, 0]
    assert lxml.fromstring(written, lxml.XMLParser(resolve_entities=False)).tag == "testsuites"
    [one, other] = junitparser.JUnitXml.fromstring(written)
    assert (one.tests, one.failures + one.skipped, other.tests, other.failures) == (1, 1, 1, 0)
    if field != "problem":
        [result] = next(iter(one)).result
        assert result.message.endswith(LINE)  # whatever comes before it
        assert result.text.endswith(LINE)


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


def test_the_file_says_how_it_is_written():
    assert junit([finding(message="\u2260")]).splitlines()[0] == "<?xml version='1.0' encoding='utf-8'?>"
    assert xml.fromstring(junit([finding(message="\u2260")]).encode()).find(".//failure").get("message") == "\u2260"


def test_all_failures_of_a_case_are_one_element_the_worst_first():
    rows = [
        finding(message="known one", known="torch#1", signature="a"),
        finding(message="wrong value", problem="LINE-1", signature="b"),
        finding(Verdict.CRASHED, message="died", problem="LINE-2", history=["BEFORE-1"], signature="c"),
    ]

    [only] = xml.fromstring(junit(rows)).iter("testcase")

    [element] = only
    assert (element.tag, element.get("type"), element.get("message")) == ("error", "crashed", "died | LINE-2")
    places = [element.text.index(t) for t in ("died", "BEFORE-1\nLINE-2", "known one", "torch#1", "wrong value", "LINE-1")]
    assert places[:2] == sorted(places[:2])
    assert places[0] < min(places[2:])


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.VACUOUS])
def test_what_is_skipped_has_its_reason_where_gitlab_looks_and_where_jenkins_looks(verdict):
    element = case(finding(verdict, message="the law is about axes 1, the method does only 2")).find("skipped")

    assert element.get("message") == element.text == "the law is about axes 1, the method does only 2"
    assert set(element.attrib) == {"message"}


def test_names_of_cases_are_not_repeated_in_a_suite():
    rows = [finding(v, signature=str(n)) for n, v in enumerate((Verdict.BROKEN, Verdict.BROKEN, Verdict.CRASHED))]

    names = [c.get("name") for c in xml.fromstring(junit([*rows, finding(law="k")])).iter("testcase")]

    assert names == ["l[fprop]", "k[fprop]"]


def test_the_root_counts_what_the_suites_count():
    rows = [finding(v, law=str(v), method=m) for v in Verdict for m in ("a", "b")]

    parsed = junitparser.JUnitXml.fromstring(junit(rows).encode())
    said = (parsed.tests, parsed.failures, parsed.errors, parsed.skipped)
    parsed.update_statistics()

    assert said == (parsed.tests, parsed.failures, parsed.errors, parsed.skipped) == (12, 2, 4, 4)


def test_a_file_of_very_many_long_failures_stays_under_what_gitlab_takes():
    rows = [finding(law=f"law-{n}", message="x" * 10**5, problem=f"LINE-{n}") for n in range(3_000)]

    written = junit(rows, most=1_000_000)

    assert len(written) < 30_000_000 / 5
    assert all(c[0].get("message").endswith(f"LINE-{n}") for n, c in enumerate(xml.fromstring(written).iter("testcase")))
