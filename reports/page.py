"""The page: one HTML file with everything in it, the same bytes for the same findings."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from convlaws.reports import accuracy, coverage, surroundings, verdicts
from convlaws.reports.cards import Card, anchors, cards, grouped
from convlaws.reports.judge import judge
from convlaws.reports.matrix import failed, matrix, sheets
from convlaws.reports.merging import Run
from convlaws.reports.plain import plain, ratio
from convlaws.reports.speed import Speed
from convlaws.reports.states import LOOKS, is_mutant
from convlaws.results import Finding

TEMPLATES = Path(__file__).parent / "templates"
OPEN = 3  # cards that are open at once


@dataclass(frozen=True)
class Beside:
    """What a page shows besides its findings: an earlier run, asv's results, sentences of known findings by id."""

    before: Run | None = None
    speed: Speed | None = None
    known: Mapping[str, str] = field(default_factory=dict)


def render(run: Run, beside: Beside | None = None) -> str:
    """The page of a run as HTML text."""
    beside = beside or Beside()
    loader = FileSystemLoader(TEMPLATES)
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    templates.filters |= {"ratio": ratio, "plain": plain}
    return templates.get_template("page.html").render(**_context(run, beside), **_script())


def _script() -> dict:
    """The page's own script, which only copies commands, and the hash by which a browser runs it and no other."""
    text = (TEMPLATES / "copy.js").read_text(encoding="utf-8")
    return {"script": Markup(text), "script_hash": b64encode(sha256(text.encode()).digest()).decode()}


def _context(run: Run, beside: Beside) -> dict:
    groups = grouped(run.findings)
    where = anchors(groups)
    right = [f for f in run.findings if not is_mutant(f.method)]
    options = surroundings.words(run.summaries[0]) if len(run.summaries) == 1 else []
    drawn = cards(groups, options)
    shown = [c for c in drawn if not c.known and not c.mutant]
    return {
        "sentence": verdicts.sentence(run.findings),
        "changes": verdicts.changes(beside.before.findings, run.findings) if beside.before else None,
        "looks": [look for look in LOOKS.values() if look.state != "not tried"],
        "tables": _tables(right, where),
        "new": shown,
        "known": _known(drawn, beside.known),
        "mutants": [c for c in drawn if c.mutant and not c.known],
        "open": OPEN,
        "laws": list({plain(f.law): plain(f.says, 300) for f in run.findings}.items()),
        **_lower(run, right, where, beside),
    }


def _tables(findings: Sequence[Finding], where: Mapping[str, str]) -> dict | None:
    """The matrix and the sheets of the methods that are meant to be right."""
    methods = list(dict.fromkeys(f.method for f in findings))
    if not methods:
        return None
    titles, found = sheets(findings, methods, where)
    return {"matrix": matrix(findings, methods, where), "titles": titles, "sheets": found, "failed": failed}


def _lower(run: Run, right: Sequence[Finding], where: dict[str, str], beside: Beside) -> dict:
    """The sections below the findings; of mutants only, the mutants are what they are about."""
    about = right or run.findings
    return {
        "spreads": accuracy.spreads(about),
        "against_terms": accuracy.against_terms(about),
        "tried": coverage.tried(about),
        "sample": coverage.sample(about),
        "judge": judge(run.findings, where),
        "speed": beside.speed,
        "runs": len(run.summaries),
        "environment": surroundings.rows(run.summaries),
    }


@dataclass(frozen=True)
class Explained:
    """A known finding: its sentence, the methods and laws that it explains here, and their cards."""

    id: str
    says: str
    methods: list[str]
    count: int
    first: Card
    others: list[Card]


def _known(drawn: Sequence[Card], sentences: Mapping[str, str]) -> list[Explained]:
    groups: dict[str, list[Card]] = {}
    for card in drawn:
        if card.known:
            groups.setdefault(card.known, []).append(card)
    return [
        Explained(
            id=name,
            says=plain(sentences.get(name, ""), 1000),
            methods=list(dict.fromkeys(c.method for c in group)),
            count=sum(len(c.ids) for c in group),
            first=group[0],
            others=group[1:],
        )
        for name, group in sorted(groups.items(), key=lambda row: -len(row[1]))
    ]
