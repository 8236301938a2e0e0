"""Failures as cards: what is wrong, where, by how much, and how to reproduce it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from convlaws.records.finding import Finding, Verdict
from convlaws.reports.page.elements import Element, elements
from convlaws.reports.page.geometry import Wrong, parsed, wrong_elements
from convlaws.reports.page.picture import heat, picture, shapes
from convlaws.reports.page.repeat_commands import Repeating, commands, lines
from convlaws.reports.sanitize import MESSAGE, one_line, plain
from convlaws.reports.states import Look, is_mutant, look

ROOM = 450_000  # bytes that the full cards of a page may take; later cards are brief
TEXT = 2_500  # bytes of a full card without its pictures and its message
LARGEST = 16_000  # bytes of one picture
_VERB = {Verdict.BROKEN: "breaks", Verdict.CRASHED: "crashes in", Verdict.HUNG: "hangs in"}


@dataclass(frozen=True)
class Drawing:
    """The pictures of a failure, and the sizes in words."""

    shapes: str = ""
    problem: Markup | None = None
    heat: Markup | None = None
    about: bool = True  # True if the wrong elements are of the problem's own result

    @property
    def size(self) -> int:
        """Return the size of the pictures in bytes."""
        return len(self.problem or "") + len(self.heat or "")


@dataclass(frozen=True)
class Card:
    """All failures of one method on one line; the card shows the message of the most specific law."""

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
    brief: bool = False  # True if the page had room only for its line
    ids: list[str] = field(default_factory=list)


def anchors(groups: Iterable[Sequence[Finding]]) -> dict[str, str]:
    """Return the page anchor of each failing finding's card, by the finding's id."""
    return {f.id: f"f-{group[0].id}" for group in groups for f in group}


def grouped(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Group the failures of a method on one line, the most specific law first; new groups before known ones."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for f in findings:
        if f.verdict.bad:
            groups.setdefault((f.method, f.op, f.problem, f.known), []).append(f)
    for group in groups.values():
        group.sort(key=lambda f: -f.specific)
    methods = {name: i for i, name in enumerate(dict.fromkeys(key[0] for key in groups))}
    return sorted(groups.values(), key=lambda g: _importance(g[0], methods))


def _importance(f: Finding, methods: Mapping[str, int]) -> tuple:
    """Sort key: new before known, then by method (known: by id), most specific law first, smallest problem first."""
    problem = parsed(f.problem)
    size = problem.spec.macs * problem.spec.ndim if problem else float("inf")
    if f.known:
        return (True, False, f.known, 0, size, len(f.problem))
    return (False, is_mutant(f.method), methods[f.method], -f.specific, size, len(f.problem))


def cards(groups: Sequence[Sequence[Finding]], how: Repeating) -> list[Card]:
    """Return one card per group, in full until ROOM is used up, starting with the first of each known finding and mutant."""
    by_index: dict[int, Card] = {}
    room = ROOM
    for i in _order(groups):
        drawing = _drawing(groups[i][0]) if room > TEXT else Drawing()
        cost = drawing.size + len(groups[i][0].message[:MESSAGE]) + TEXT
        by_index[i] = _card(groups[i], drawing, how, brief=cost > room)
        room -= cost if cost <= room else 0
    return [by_index[i] for i in range(len(groups))]


def _order(groups: Sequence[Sequence[Finding]]) -> list[int]:
    seen: set[str] = set()
    first, later = [], []
    for i, (lead, *_) in enumerate(groups):
        title = lead.known or lead.method
        (later if title in seen else first).append(i)
        seen.add(title)
    return first + later


def _card(group: Sequence[Finding], drawing: Drawing, how: Repeating, *, brief: bool) -> Card:
    f = group[0]
    wrong = wrong_elements(f.evidence)
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
        notes=_notes(f),
        also=[plain(other.law) for other in group[1:]],
        lines=lines(f),
        elements=elements(f),
        wrong=_count(wrong, f),
        commands=commands(f, how),
        drawing=drawing,
        known=plain(f.known),
        mutant=is_mutant(f.method),
        brief=brief,
        ids=[other.id for other in group],
    )


def _notes(f: Finding) -> list[str]:
    notes = [f"contract {plain(f.contract)}"] * bool(f.contract)
    notes += [f"flaky: it repeated {plain(f.flaky)} times"] * bool(f.flaky)
    return notes + ["the lines before the last one have to run before it, in the same process"] * bool(f.history)


def _count(wrong: Wrong | None, f: Finding) -> str:
    if wrong is None:
        return ""
    count = f.evidence.get("wrong")
    return f"{count:,} of {wrong.mask.size:,}" if isinstance(count, int) else ""


# --- the pictures ------------------------------------------------------------------
def _drawing(f: Finding) -> Drawing:
    problem, wrong = parsed(f.problem), wrong_elements(f.evidence)
    if problem is None:
        return Drawing()
    drawn, plane = picture(problem, wrong), heat(wrong) if wrong else None
    about = wrong is None or wrong.of(problem)
    return Drawing(shapes(problem), _small(drawn), _small(plane), about)


def _small(drawn: Markup | None) -> Markup | None:
    return drawn if drawn is not None and len(drawn) <= LARGEST else None
