"""Render the findings page: one self-contained HTML file, the same bytes for the same findings."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from convlaws.records.finding import Finding
from convlaws.records.merge import Run
from convlaws.records.timing_file import Times
from convlaws.reports.page import accuracy, contracts_held, coverage, provenance, verdicts
from convlaws.reports.page.cards import Card, anchors, cards, grouped
from convlaws.reports.page.comparison import choice
from convlaws.reports.page.coverage_pairs import ledger
from convlaws.reports.page.matrix import failed, matrix, sheets
from convlaws.reports.page.mutant_kills import judge
from convlaws.reports.page.repeat_commands import Repeating, passed_on
from convlaws.reports.page.speed import Speed
from convlaws.reports.sanitize import plain
from convlaws.reports.states import LOOKS, is_mutant

TEMPLATES = Path(__file__).parents[1] / "templates"
# the bar of all states where no style sheet is applied
INKS = {
    "b": "#c2273a",
    "c": "#6d1030",
    "h": "#8a4b00",
    "n": "#363b9e",
    "v": "#865800",
    "k": "#17663a",
    "r": "#d5dae0",
    "z": "#fff",
}


@dataclass(frozen=True)
class Beside:
    """What a page shows besides its findings: an earlier run, asv's results, sentences of known findings by id, timings."""

    before: Run | None = None
    speed: Speed | None = None
    known: Mapping[str, str] = field(default_factory=dict)
    times: Times | None = None


def render(run: Run, beside: Beside | None = None) -> str:
    """Return the page of a run as HTML text."""
    return _template("page.html").render(**_context(run, beside or Beside()), **_script())


def standalone(times: Times) -> str:
    """Return a page of timings only, as HTML text."""
    return _template("choice_page.html").render(choice=choice(times))


@cache
def _template(name: str) -> Template:
    loader = FileSystemLoader(TEMPLATES)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(name)


def _script() -> dict:
    """Return the page's own script, which only copies commands, and the hash with which a browser allows only this script."""
    text = (TEMPLATES / "copy.js").read_text(encoding="utf-8")
    return {"script": Markup(text), "script_hash": b64encode(sha256(text.encode()).digest()).decode()}


def _context(run: Run, beside: Beside) -> dict:
    findings = run.apart()
    groups = grouped(findings)
    where = anchors(groups)
    right = [f for f in findings if not is_mutant(f.method)]
    options = provenance.words(run.summaries[0]) if len(run.summaries) == 1 else []
    drawn = cards(groups, Repeating(passed_on(options), [words for words in run.places.values() if words]))
    return {
        "sentence": verdicts.sentence(findings),
        "notes": [plain(note, 300) for note in run.notes],
        "changes": verdicts.changes(beside.before.apart(), findings) if beside.before else None,
        "looks": LOOKS,
        "inks": INKS,
        "tables": _tables(right, where),
        "new": _piles([c for c in drawn if not c.known and not c.mutant], by_method),
        "known": _piles([c for c in drawn if c.known], lambda c: c.known, beside.known),
        "mutants": _piles([c for c in drawn if c.mutant and not c.known], by_method),
        "brief": sum(c.brief for c in drawn),
        "laws": list({plain(f.law): plain(f.says, 300) for f in findings}.items()),
        **_lower(run, right or findings, findings, where, beside),
    }


def by_method(card: Card) -> str:
    """Return the title under which cards of new failures are grouped."""
    return card.method


def _tables(findings: Sequence[Finding], where: Mapping[str, str]) -> dict | None:
    """Return the matrix and the sheets of the methods that are meant to be right."""
    methods = list(dict.fromkeys(f.method for f in findings))
    if not methods:
        return None
    titles, method_sheets = sheets(findings, methods, where)
    return {"matrix": matrix(findings, methods, where), "titles": titles, "sheets": method_sheets, "failed": failed}


def _lower(run: Run, about: Sequence[Finding], findings: Sequence[Finding], where: dict[str, str], beside: Beside) -> dict:
    """Return the sections below the findings; those on accuracy and coverage use `about`."""
    return {
        "spreads": accuracy.spreads(about),
        "against_terms": accuracy.against_terms(about),
        "held": contracts_held.table(about),
        "tried": coverage.tried(about),
        "sample": ledger(run.summaries) or coverage.sample(about),
        "judge": judge(findings, where, run.summaries),
        "choice": choice(beside.times) if beside.times else None,
        "speed": beside.speed,
        "runs": len(run.summaries),
        "environment": provenance.rows(run.summaries),
    }


@dataclass(frozen=True)
class Pile:
    """Cards of one method, known finding or mutant. `count` is the number of (method, law, op)."""

    title: str
    says: str
    methods: list[str]
    count: int
    cards: list[Card]


def _piles(drawn: Sequence[Card], title: Callable[[Card], str], sentences: Mapping[str, str] | None = None) -> list[Pile]:
    """Group cards by title, in the order of the first card of each group."""
    groups: dict[str, list[Card]] = {}
    for card in drawn:
        groups.setdefault(title(card), []).append(card)
    said = sentences or {}
    return [
        Pile(
            name,
            plain(said.get(name, ""), 1000),
            list(dict.fromkeys(c.method for c in group)),
            sum(len(c.ids) for c in group),
            group,
        )
        for name, group in groups.items()
    ]
