"""Findings as JUnit XML, for the viewers of GitLab, Jenkins and GitHub.

A suite is a method, a test case a (law, op): a crash or a hang is an error, a broken law a failure,
and a refused, vacuous or known one is skipped with its reason. GitLab shows the content of an element
and not its `message`, and of several cases with one name only the first: so the problem's line is in
both, and all failures of a case are in one element. It accepts files of up to 30 MB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as xml

from convlaws.records.finding import Finding, Verdict, by_cell

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MOST_NAME, MOST_FIRST, MOST_TEXT, MOST_KINDS, MOST_LINES = 500, 500, 8_000, 8, 300
MOST_FILE = 20_000_000  # characters of text, after which only the first line of each failure is written
_TAG = {Verdict.BROKEN: "failure", Verdict.CRASHED: "error", Verdict.HUNG: "error"}
_ATTRIBUTE = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def clean(text: str, most: int = MOST_TEXT) -> str:
    """Return at most `most` characters of `text` (from code under test), without characters that XML forbids."""
    cut = text if len(text) <= most else f"{text[:most]}... ({len(text) - most:,} more characters)"
    return _NOT_XML.sub("?", cut)


def junit(findings: Sequence[Finding], most: int = MOST_FILE) -> str:
    """Return one test suite per method, with one test case per (law, op)."""
    root = xml.Element("testsuites", name="convlaws")
    suites: dict[str, xml.Element] = {}
    tags: dict[str, list[str]] = {}
    left = most
    for (method, law, op), some in by_cell(findings).items():
        if method not in suites:
            suites[method], tags[method] = xml.SubElement(root, "testsuite", name=clean(method, MOST_NAME)), []
        seconds = f"{max(f.seconds for f in some):.3f}"
        name = clean(f"{law}[{op}]", MOST_NAME)
        case = xml.SubElement(suites[method], "testcase", classname=clean(method, MOST_NAME), name=name, time=seconds)
        tags[method].append(_ended(case, some, short=left < 0))
        left -= sum(len(element.text or "") for element in case)
    for method, suite in suites.items():
        _count(suite, tags[method])
    _count(root, [tag for some in tags.values() for tag in some])
    return xml.tostring(root, encoding="unicode", xml_declaration=True).replace("encoding='us-ascii'", "encoding='utf-8'") + "\n"


def _count(element: xml.Element, tags: list[str]) -> None:
    element.set("tests", str(len(tags)))
    for tag, name in _ATTRIBUTE.items():
        element.set(name, str(tags.count(tag)))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in element.iter('testcase')):.3f}")


def _ended(case: xml.Element, some: list[Finding], *, short: bool) -> str:
    """Write the outcome of a case, the worst first; return the tag, '' if its law is kept."""
    order = [_tag(f) for f in some]
    tag = next((t for t in ("error", "failure", "skipped") if t in order), "")
    if not tag:
        return ""
    told = [f for f, t in zip(some, order, strict=True) if t == tag] + [f for f, t in zip(some, order, strict=True) if t != tag]
    element = xml.SubElement(case, tag, message=_first(told[0]))
    if tag != "skipped":
        element.set("type", str(told[0].verdict))
    element.text = _first(told[0]) if short or tag == "skipped" else "\n\n".join(_all(told))
    return tag


def _tag(f: Finding) -> str:
    if f.verdict is Verdict.KEPT:
        return ""
    return "skipped" if f.known else _TAG.get(f.verdict, "skipped")


def _first(f: Finding) -> str:
    """Return the reason and, at the end, the problem's line, on one line."""
    known = f"known finding {clean(f.known, MOST_NAME)}: " if f.known else ""
    reason = clean(next(iter(f.message.splitlines()), "") or str(f.verdict), MOST_FIRST)
    return f"{known}{reason}" + (f" | {_one(f.problem)}" if f.problem else "")


def _all(told: list[Finding]) -> Iterable[str]:
    """Return each failure in full, its problem lines last."""
    for f in told[:MOST_KINDS]:
        known = [f"known finding {clean(f.known, MOST_NAME)}"] * bool(f.known)
        flaky = [f"flaky: repeated {clean(f.flaky, 20)} times"] * bool(f.flaky)
        lines = [_one(line) for line in [*f.history[-MOST_LINES:], f.problem]]
        yield "\n".join([clean(f.says, MOST_FIRST), clean(f.message), *known, *flaky, "repeat:", *lines])
    if len(told) > MOST_KINDS:
        yield f"... and {len(told) - MOST_KINDS} more kinds of failure: see the findings file"


def _one(line: str) -> str:
    return clean(" ".join(line.split()), MOST_FIRST)
