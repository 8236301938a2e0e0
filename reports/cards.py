"""A failure as a card: what is wrong, where, by how much, and how to see it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from convlaws.catalogue import to_benchdnn
from convlaws.problem import Problem
from convlaws.reports.geometry import Wrong, wrong_elements
from convlaws.reports.picture import heat, picture, shapes
from convlaws.reports.plain import LINE, MESSAGE, number, one_line, plain, ratio
from convlaws.reports.states import Look, is_mutant, look
from convlaws.results import Finding, Verdict

ROOM = 400_000  # bytes that all pictures of a page may take; the cards after that come without
LARGEST = 16_000  # bytes of one picture
MOST_ROWS = 6
_DIRECTION = {"fprop": None, "dgrad": "BWD_D", "wgrad": "BWD_W", "bgrad": "BWD_WB"}
_DT = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16"}
_VERB = {Verdict.BROKEN: "breaks", Verdict.CRASHED: "crashes in", Verdict.HUNG: "hangs in"}
_PASSED_ON = ("--signature", "--arrays", "--contract")  # options of `check` without which a repeat is another one


@dataclass(frozen=True)
class Element:
    """One wrong element: the interval that it should be in, and how far outside it is, as texts."""

    at: str
    got: str
    allowed: str
    slack: str
    outside: str


@dataclass(frozen=True)
class Drawing:
    """The pictures of a failure, and the sizes in words."""

    shapes: str = ""
    problem: Markup | None = None
    heat: Markup | None = None
    about: bool = True  # whether the wrong elements are of the problem's own result
    left_out: bool = False  # the page had no room for them

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.problem or "") + len(self.heat or "")


@dataclass(frozen=True)
class Card:
    """All failures of one method on one line; the most specific law speaks for them."""

    to: str
    look: Look
    method: str
    verb: str
    law: str
    op: str
    says: str
    first: str
    message: str
    notes: list[str]
    also: list[str]
    lines: list[str]
    elements: list[Element]
    wrong: str
    commands: list[tuple[str, str]]
    drawing: Drawing
    known: str = ""
    mutant: bool = False
    ids: list[str] = field(default_factory=list)


def anchors(groups: Iterable[Sequence[Finding]]) -> dict[str, str]:
    """By the id of a failing finding, where on the page its card is."""
    return {f.id: f"f-{group[0].id}" for group in groups for f in group}


def grouped(findings: Iterable[Finding]) -> list[list[Finding]]:
    """The failures of a method on one line together, the most specific law first; what is new before what is known."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for f in findings:
        if f.verdict.bad:
            groups.setdefault((f.method, f.op, f.problem, f.known), []).append(f)
    for group in groups.values():
        group.sort(key=lambda f: -f.specific)
    methods = {name: i for i, name in enumerate(dict.fromkeys(key[0] for key in groups))}
    return sorted(groups.values(), key=lambda g: _importance(g[0], methods))


def _importance(f: Finding, methods: Mapping[str, int]) -> tuple:
    """New before known; then by method, or for what is known by its id; the most specific law, the smallest problem first."""
    problem = parsed(f.problem)
    size = problem.spec.macs * problem.spec.ndim if problem else float("inf")
    if f.known:
        return (True, False, f.known, 0, size, len(f.problem))
    return (False, is_mutant(f.method), methods[f.method], -f.specific, size, len(f.problem))


def cards(groups: Sequence[Sequence[Finding]], options: Sequence[str] = ()) -> list[Card]:
    """A card a group. Pictures are drawn until ROOM is used up, the first card of each known finding before its others."""
    drawings: dict[int, Drawing] = {}
    room = ROOM
    for i in _order(groups):
        drawing = _drawing(groups[i][0])
        fits = drawing.size <= room
        drawings[i] = drawing if fits else Drawing(drawing.shapes, left_out=True)
        room -= drawing.size if fits else 0
    return [_card(group, drawings[i], options) for i, group in enumerate(groups)]


def _order(groups: Sequence[Sequence[Finding]]) -> list[int]:
    seen: set[str] = set()
    first, later = [], []
    for i, (lead, *_) in enumerate(groups):
        (later if lead.known in seen else first).append(i)
        seen |= {lead.known} - {""}
    return first + later


def _card(group: Sequence[Finding], drawing: Drawing, options: Sequence[str]) -> Card:
    f = group[0]
    wrong = wrong_elements(f.evidence)
    notes = [f"contract {plain(f.contract)}"] * bool(f.contract)
    notes += [f"flaky: it repeated {plain(f.flaky)} times"] * bool(f.flaky)
    notes += ["the first line or lines below have to run before the last one, in the same process"] * bool(f.history)
    return Card(
        to=f"f-{f.id}",
        look=look(f),
        method=plain(f.method),
        verb=_VERB[f.verdict],
        law=plain(f.law),
        op=plain(f.op, 20),
        says=one_line(f.says, 300),
        first=one_line(f.message, 160),
        message=plain(f.message, MESSAGE),
        notes=notes,
        also=[plain(other.law) for other in group[1:]],
        lines=[one_line(line, LINE) for line in (*f.history[-20:], f.problem)],
        elements=_elements(f),
        wrong=_count(wrong, f),
        commands=commands(f, options),
        drawing=drawing,
        known=plain(f.known),
        mutant=is_mutant(f.method),
        ids=[other.id for other in group],
    )


def _count(wrong: Wrong | None, f: Finding) -> str:
    if wrong is None:
        return ""
    count = f.evidence.get("wrong")
    return f"{count:,} of {wrong.mask.size:,}" if isinstance(count, int) else ""


# --- the pictures ------------------------------------------------------------------
def parsed(line: str) -> Problem | None:
    """The problem of a line, or None if it is none."""
    try:
        return Problem.parse(line[:LINE])
    except (ValueError, TypeError, OverflowError):
        return None


def _drawing(f: Finding) -> Drawing:
    problem, wrong = parsed(f.problem), wrong_elements(f.evidence)
    if problem is None:
        return Drawing()
    drawn, plane = picture(problem, wrong), heat(wrong) if wrong else None
    about = wrong is None or wrong.of(problem)
    return Drawing(shapes(problem), _small(drawn), _small(plane), about)


def _small(drawn: Markup | None) -> Markup | None:
    return drawn if drawn is not None and len(drawn) <= LARGEST else None


# --- the worst elements --------------------------------------------------------------
def _elements(f: Finding) -> list[Element]:
    rows = f.evidence.get("elements") if isinstance(f.evidence, Mapping) else None
    return [_element(row) for row in (rows if isinstance(rows, list) else [])[:MOST_ROWS] if isinstance(row, Mapping)]


def _element(row: Mapping) -> Element:
    got, low, high = (str(row.get(name, "")) for name in ("got", "low", "high"))
    allowed = f"exactly {number(low)}" if low == high else f"{number(low)} to {number(high)}"
    where = row.get("at")
    at = f"({', '.join(plain(i, 12) for i in where[:8])})" if isinstance(where, list) else ""
    return Element(at, number(got), allowed, *_distance(got, low, high))


def _distance(got: str, low: str, high: str) -> tuple[str, str]:
    """(slack, distance to the interval) as texts; the slack is half of the interval's width."""
    try:
        value, least, most = float(got), float(low), float(high)
    except ValueError:
        return "", ""
    slack, apart = (most - least) / 2, max(least - value, value - most)
    if apart != apart or apart == float("inf"):
        return (ratio(slack) if slack == slack else "none"), "no slack allows it"
    times = f" ({ratio(apart / slack)} x slack)" if slack > 0 else ""
    return ratio(slack), f"{apart:.3g}{times}"


# --- how to see it again -----------------------------------------------------------------
def commands(f: Finding, options: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(what it does, command). `options` are those of the run that found it."""
    lines = [one_line(line, LINE) for line in (*f.history[-20:], f.problem)]
    how = " ".join(shlex.quote(w) for w in (*lines, plain(f.method, 200), *passed_on(options), "--law", plain(f.law)))
    found = [("Repeat it", f"convlaws repeat {how}"), ("Write a script that needs no convlaws", f"convlaws repeat {how} --script show.py")]
    problem = parsed(f.problem)
    words = to_benchdnn(problem.spec) if problem else None
    if problem and words:
        direction = _DIRECTION[problem.op]
        words = f"--dir={direction} {words.partition(' ')[2]}" if direction else words
        found.append(("The same sizes in oneDNN's benchdnn, on numbers of its own", f"benchdnn --conv --dt={_DT[problem.dtype]} {words}"))
    return found


def passed_on(words: Sequence[str]) -> list[str]:
    """The options of a `check` command that a repeat needs too.

    >>> passed_on(["check", "mine.py:conv", "--arrays", "numpy", "--budget=9", "--signature=conv1d"])
    ['--arrays', 'numpy', '--signature=conv1d']
    """
    found: list[str] = []
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word in _PASSED_ON:
            found += [word, value]
        elif word.partition("=")[0] in _PASSED_ON:
            found.append(word)
    return found
