"""Findings as Markdown, for $GITHUB_STEP_SUMMARY and for a comment: a sentence, a matrix, the first failures.

Every name, message and line comes from code under test. All of it is written in code spans and code
blocks, without control characters, with fences longer than any run of backticks within; so it can
neither end its cell nor be read as Markdown or HTML.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from convlaws.records.finding import Finding
from convlaws.reports.wording import STATES, changed, failing, grouped, sentence, state, worst

LIMIT = 1_000_000  # bytes; GitHub accepts 1 MiB per step
ROOM = 600  # bytes reserved for the last sentence
MOST_NAME, MOST_MESSAGE, MOST_LINE, MOST_LINES = 120, 1500, 600, 12
MOST_FAILURES, MOST_NOTES = 40, 20
# C0, C1, lone surrogates, and characters that change the writing direction
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_PLAIN = re.compile("[a-z]{1,20}")  # such as the families of our own laws


def visible(text: str, most: int) -> str:
    """Return at most `most` characters of `text`, without invisible characters."""
    cut = text if len(text) <= most else f"{text[:most]}... ({len(text) - most:,} more characters)"
    return _UNSEEN.sub("?", cut)


def span(text: str) -> str:
    """Return a one-line code span that is valid in a table cell.

    >>> span("im2col")
    '`im2col`'
    """
    shown = visible(" ".join(text.split()), MOST_NAME) or "?"
    if set(shown) & {"|", "\\"}:  # a table cell cannot hold these characters in any other form
        return "<code>" + "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in shown) + "</code>"
    fence = _fence(shown, 1)
    pad = " " * (shown[0] == "`" or shown[-1] == "`")
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(text: str) -> str:
    """Return a code block; the caller limits the length of `text`."""
    fence = _fence(text, 3)
    return f"{fence}text\n{text}\n{fence}"


def _fence(text: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)


def markdown(
    findings: Sequence[Finding], *, earlier: Sequence[Finding] | None = None, notes: Iterable[str] = (), room: int = LIMIT
) -> str:
    """Return the summary in less than `room` bytes; its last sentence counts what was left out."""
    parts = [f"## convlaws: {sentence(findings)}"]
    parts += [changed(findings, earlier)] if earlier is not None else []
    parts += [f"> {span(note)}" for note in list(notes)[:MOST_NOTES]] + _known(findings)
    left, missing = room - ROOM, Counter[str]()
    blocks: list[tuple[str, str]] = []
    for kind, text in [("", "\n\n".join(parts)), *_matrix(findings), *_failures(findings)]:
        size = len(text.encode()) + 2
        if kind and (missing[kind] or size > left):  # once one of a kind is left out, so are all later ones of that kind
            missing[kind] += 1
            continue
        left -= size
        blocks.append((kind, text))
    return _joined(blocks, missing, findings)


def _known(findings: Sequence[Finding]) -> list[str]:
    count = Counter(f.known for f in findings if f.verdict.bad and f.known)
    named = ", ".join(f"{span(name)} ({n})" for name, n in count.most_common(MOST_NOTES))
    return [f"Known failures: {named}{', ...' * (len(count) > MOST_NOTES)}"] if named else []


def _joined(blocks: list[tuple[str, str]], missing: Counter[str], findings: Sequence[Finding]) -> str:
    """Join the blocks; rows of a table are joined without a blank line."""
    text = ""
    for before, (kind, part) in zip([("", ""), *blocks], blocks, strict=False):
        text += ("\n" if kind == before[0] == "row" else "\n\n" if text else "") + part
    shown = sum(kind == "failure" for kind, _ in blocks)
    every = len(grouped(failing(findings)))
    said = [f"{missing['row']} methods of the matrix"] * bool(missing["row"])
    said += [f"{every - shown} of {every} failing lines"] * (every > shown)
    return text + (f"\n\nLeft out here: {' and '.join(said)}; the findings file has all of them." if said else "") + "\n"


def _matrix(findings: Sequence[Finding]) -> Iterable[tuple[str, str]]:
    """Return a table of methods x families of laws: the worst state of each cell, and how many have it."""
    families = list(dict.fromkeys(f.family or "laws" for f in findings))
    if not families:
        return
    cells: dict[tuple[str, str], list[Finding]] = {}
    for f in findings:
        cells.setdefault((f.method, f.family or "laws"), []).append(f)
    head = "| method | " + " | ".join(name if _PLAIN.fullmatch(name) else span(name) for name in families) + " |"
    yield "row", f"{head}\n|---|{'---|' * len(families)}"
    for method in dict.fromkeys(f.method for f in findings):
        yield "row", f"| {span(method)} | " + " | ".join(_cell(cells.get((method, name), [])) for name in families) + " |"


def _cell(some: list[Finding]) -> str:
    """Return a cell such as '✗ 2 broken of 14': a symbol, a count and the verdict's word."""
    if not some:
        return " "
    worse = worst(some)
    count = Counter(map(state, some))
    total = f" of {len(some)}" if count[worse] < len(some) else ""
    return f"{STATES[worse]} {count[worse]} {worse}{total}"


def _failures(findings: Sequence[Finding]) -> Iterable[tuple[str, str]]:
    for group in grouped(failing(findings))[:MOST_FAILURES]:
        f = group[0]
        also = f"\n\nThe same line also breaks {', '.join(span(other.law) for other in group[1:6])}"
        more = f" and {len(group) - 6} more" if len(group) > 6 else ""
        yield "failure", f"### {_head(f)}\n\n{block(_evidence(f))}{f'{also}{more}.' if group[1:] else ''}"


def _head(f: Finding) -> str:
    flaky = f", flaky: repeated {span(f.flaky)} times" if f.flaky else ""
    return f"{STATES[state(f)]} {span(f.method)} {state(f)}: {span(f.law)} ({span(f.op)}){flaky}"


def _evidence(f: Finding) -> str:
    """Return the message, then the lines that repeat it."""
    history = f.history if len(f.history) <= MOST_LINES else ["(the findings file has the lines before it)"]
    says = [visible(" ".join(f.says.split()), MOST_LINE)] * bool(f.says)
    lines = (visible(" ".join(line.split()), MOST_LINE) for line in [*history, f.problem])
    return "\n".join([*says, visible(f.message, MOST_MESSAGE), "repeat:", *lines])
