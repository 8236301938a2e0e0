"""Helpers shared by the pages on mutants: Markdown tables, numbers, threads, the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import inf

from convlaws.reports.mutation.records import DIFFICULTIES, Seen, Sight

NOTE = "<!-- written by `convlaws mutants`; change what it is made of, not this file -->"
_THREAD = re.compile(r"([\w.-]+/[\w.-]+)#(\d+)")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; columns of numbers are right-aligned."""
    body = [[cell(value) for value in row] for row in rows]
    right = [
        all(isinstance(value, str) and re.fullmatch(r"[\d.,/%]*|-", value) for value in column)
        for column in zip(*body, strict=True)
    ]
    rule = ["--:" if r else "---" for r in right or [False] * len(head)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [list(head), rule, *body])


def prose(text: str) -> str:
    """Return a paragraph, wrapped over several lines."""
    return " ".join(text.split())


def cell(value: object) -> str:
    """Format a value for a cell."""
    return str(value).replace("|", "\\|").replace("\n", " ")


def number(value: float) -> str:
    """Format a number briefly; '-' for infinite (never found).

    >>> number(0.01234), number(4.56), number(1234), number(float("inf"))
    ('0.012', '4.6', '1,234', '-')
    """
    if value == inf:
        return "-"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def thread(text: str) -> str:
    """Return a thread as a Markdown link.

    >>> thread("pytorch/pytorch#1")
    '[pytorch/pytorch#1](https://github.com/pytorch/pytorch/issues/1)'
    """
    if match := _THREAD.fullmatch(text):
        return f"[{text}](https://github.com/{match[1]}/issues/{match[2]})"
    return f"<{text}>" if text.startswith("http") else text.replace("?", "")


def share(part: int, whole: int) -> str:
    """Return a percentage, rounded down: 100 % only if part equals whole.

    >>> share(199, 200), share(0, 0)
    ('99%', '-')
    """
    return f"{100 * part // whole}%" if whole else "-"


def machine(sight: Sight) -> str:
    """Return the machine, versions and budgets of the run in a sentence."""
    run, budgets = sight.run["environment"], sight.run["budgets"]
    versions = ", ".join(
        f"{name} {run['versions'][name]}" for name in ("torch", "numpy", "hypothesis") if name in run["versions"]
    )
    return (
        f"Run with Python {run['python']}, {versions} on {run['cpu']} ({run['cpus']} CPUs), each search on one core; "
        f"{budgets['seeds']} seeds; at most {budgets['easy']:g} s for an easy mutant, {budgets['medium']:g} s for a medium and "
        f"{budgets['hard']:g} s for a hard one. Seconds are those of this machine."
    )


def revealed(m: Seen, law: str) -> str:
    """Return what reveals a mutant: a law, or how its process ended, which every law detects."""
    return m.ended or (f"`{law}`" if law else "none")


def by_difficulty(mutants: Sequence[Seen]) -> list[tuple[str, list[Seen]]]:
    """Return (difficulty, its mutants), and ('all', all of them) last."""
    apart = [(word, [m for m in mutants if m.about["difficulty"] == word]) for word in DIFFICULTIES]
    return [*apart, ("all", list(mutants))]
