"""The atlas: documented convolution bugs by defect, the mutants modelled on them, and the law that reveals each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convlaws.reports.mutation.records import Seen, Sight
from convlaws.reports.mutation.text import NOTE, prose, revealed, share, table, thread

HEAD = ("bug", "where", "what", "triggers", "mutant", "law", "problem line")


@dataclass(frozen=True, kw_only=True)
class Bug:
    """A documented bug: facts of its thread. `mutants` model it, or `out` says why there is no mutant."""

    thread: str
    where: str
    defect: str
    what: str
    triggers: tuple[str, ...]
    mutants: tuple[str, ...] = ()
    out: str = ""

    @staticmethod
    def of(record: Mapping) -> Bug:
        """Return the bug of a record of `threads.json`."""
        return Bug(**{**record, **{name: tuple(record.get(name, ())) for name in ("triggers", "mutants")}})


def models(bug: Bug, sight: Sight) -> list[Seen]:
    """Return the mutants modelled on a bug: those with its thread, and those that the bug names."""
    return [m for m in sight.guilty if bug.thread in m.about["thread"].split() or m.name in bug.mutants]


def page(bugs: Sequence[Bug], sight: Sight) -> str:
    """Return the page as Markdown."""
    covered = [bug for bug in bugs if models(bug, sight)]
    shown = [bug for bug in covered if any(m.found for m in models(bug, sight))]
    parts = [
        "# Atlas of convolution bugs",
        NOTE,
        prose(
            f"""{len(bugs)} bugs that were reported in public, by what was wrong. {len(covered)} of them
            ({share(len(covered), len(bugs))}) have a mutant that is wrong in the same way; of {len(shown)} it is
            found. The line is what the mutant shrinks to, the law the most specific one that this line breaks. A mutant models
            the mistake and its triggers, not the code in which it was made."""
        ),
    ]
    for defect in dict.fromkeys(bug.defect for bug in bugs):
        some = [bug for bug in covered if bug.defect == defect]
        parts += [f"## {defect.capitalize()}", table(HEAD, [row for bug in some for row in _rows(bug, sight)])] if some else []
    left = [bug for bug in bugs if bug not in covered]
    rows = [(thread(bug.thread), bug.where, bug.defect, bug.what, bug.out or "no mutant yet") for bug in left]
    parts += ["## Not covered", table(("bug", "where", "defect", "what", "why there is no mutant"), rows) if rows else "None."]
    return "\n\n".join(parts) + "\n"


def _rows(bug: Bug, sight: Sight) -> list[tuple[str, ...]]:
    """Return one row per mutant of a bug; only the first row names the bug."""
    about = (thread(bug.thread), bug.where, bug.what, ", ".join(bug.triggers))
    rest = [(f"`{m.name}`", *_seen(m)) for m in models(bug, sight)]
    return [(*(about if number == 0 else ("", "", "", "")), *row) for number, row in enumerate(rest)]


def _seen(m: Seen) -> tuple[str, str]:
    return (revealed(m, m.sharpest), f"`{m.shown['line']}`") if m.shown else ("not found", "")
