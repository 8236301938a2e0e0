"""Failing problem lines as a file: `convlaws check --problems` judges them again, and git diffs show new ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from convlaws.errors import HarnessError
from convlaws.problem.problem import Problem
from convlaws.records.finding import Finding
from convlaws.reports.wording import grouped, unseen

MOST_SAID = 120


def problem_lines(findings: Sequence[Finding], earlier: Iterable[Finding] = ()) -> str:
    """Return each failing line once, under comments with what failed, without known failures and kinds that `earlier` has.

    Text that is not a valid problem line is left out, with a comment in its place.
    """
    said: dict[str, list[str]] = {}
    for first, *_ in grouped(unseen(findings, earlier)):
        alone = " (after other lines: see its finding)" if first.history else ""
        comment = f"# {first.verdict}: {_word(first.method)} {_word(first.law)}{alone}"
        said.setdefault(_line(first.problem), []).append(comment)
    return "".join("\n".join([*comments, line]) + "\n" for line, comments in said.items())


def _line(text: str) -> str:
    try:
        return str(Problem.parse(text))
    except HarnessError:
        return "# ... on what is no problem line"


def _word(text: str) -> str:
    return re.sub(r"[^\w.:/\-]", "?", text)[:MOST_SAID]
