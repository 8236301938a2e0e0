"""Findings as JUnit XML: a crash is an error, a broken law a failure, what says nothing is skipped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as xml

from convlaws.results import Finding, Verdict

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MOST_TEXT = 20_000
_TAG = {Verdict.BROKEN: "failure", Verdict.CRASHED: "error", Verdict.HUNG: "error"}


def clean(text: str) -> str:
    """`text` without what XML cannot hold, and not endless: it comes from code under test."""
    return _NOT_XML.sub("?", text)[:MOST_TEXT]


def junit(findings: Sequence[Finding]) -> str:
    """One test suite a method, one test case a (law, op)."""
    root = xml.Element("testsuites", name="convlaws")
    for method in dict.fromkeys(f.method for f in findings):
        mine = [f for f in findings if f.method == method]
        suite = xml.SubElement(root, "testsuite", name=clean(method), tests=str(len(mine)))
        tags = [_add(suite, f) for f in mine]
        for tag, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            suite.set(name, str(tags.count(tag)))
        suite.set("time", f"{sum(f.seconds for f in mine):.3f}")
    return xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add(suite: xml.Element, f: Finding) -> str:
    case = xml.SubElement(suite, "testcase", classname=clean(f.method), name=clean(f"{f.law}[{f.op}]"), time=f"{f.seconds:.3f}")
    if f.verdict is Verdict.KEPT:
        return ""
    known = f"known finding {f.known}: " if f.known else ""
    tag = "skipped" if f.known else _TAG.get(f.verdict, "skipped")
    first = f.message.splitlines()[0] if f.message else str(f.verdict)
    element = xml.SubElement(case, tag, message=clean(f"{known}{first} | {f.problem}"), type=str(f.verdict))
    if tag != "skipped":
        element.text = clean("\n".join([f.says, f.message, *f.history, f.problem]))
    return tag
