"""The page on which laws kill which mutants."""

from __future__ import annotations

from convlaws.reports.mutation.records import Seen, Sight
from convlaws.reports.mutation.text import NOTE, by_difficulty, machine, number, prose, revealed, share, table, thread

HEAD = ("mutant", "what it does", "defect", "difficulty", "modelled on", "laws", "the most specific", "seeds", "cases", "seconds")
SHRUNK = ("mutant", "shrunk to", "breaks there", "fields", "tries")


def page(sight: Sight) -> str:
    """Return the page as Markdown."""
    return "\n\n".join([*_opening(sight), *_mutants(sight), *_lines(sight), *_laws(sight), *_survivors(sight)]) + "\n"


def _opening(sight: Sight) -> list[str]:
    clones = len(sight.guilty) - len(sight.counted)
    said = f"{len(sight.guilty)} mutants, {clones} of them clones of others, which count once with them. " if clones else ""
    rows = [
        (word, str(len(some)), str(sum(m.found for m in some)), share(sum(m.found for m in some), len(some)))
        for word, some in by_difficulty(sight.counted)
    ]
    return [
        "# Mutants, and the laws that kill them",
        NOTE,
        prose(
            f"""A mutant is a convolution that is wrong on purpose, in one way. {said}How hard it is to find follows from what a
            problem must have for the mistake to show (`harness/convlaws/mutants/triggers.py`), before anything was searched.
            Found means: all laws together found it within its budget, in most of the seeds, in a search that was told
            nothing of it."""
        ),
        table(("difficulty", "mutants", "found", "share"), rows),
        machine(sight),
    ]


def _mutants(sight: Sight) -> list[str]:
    intro = prose(
        """Laws: how many of them kill it, each asked until it did, some seconds a mutant. Seeds: in how many it was found.
        Cases (a problem under a law) and seconds until the first failure are medians over the seeds."""
    )
    return ["## The mutants", intro, table(HEAD, map(_row, sight.guilty))]


def _row(m: Seen) -> tuple[str, ...]:
    quest, about = m.runs.get("quest"), m.about
    name = f"`{m.name}`" + (f" (like `{about['like']}`)" if about["like"] else "")
    times = (quest.times, number(quest.examples), number(quest.seconds)) if quest else ("", "", "")
    what = (about["says"], about["defect"], about["difficulty"], thread(about["thread"]))
    return (name, *what, str(len(m.laws)), revealed(m, m.specific), *times)


def _lines(sight: Sight) -> list[str]:
    intro = prose(
        """The failure that the first seed came upon, made small. Fields: those that differ from the simplest problem
        (`n1c1k1_x1_r1`, fprop, float32, contiguous, integers, seed 0). Tries: cases run to make it small. `+n` stands for lines
        that have to run before it in the same process. Repeat one with `convlaws repeat "LINE" mutant-NAME`."""
    )
    return ["## What they shrink to", intro, table(SHRUNK, [_line(m) for m in sight.guilty if m.shown])]


def _line(m: Seen) -> tuple[str, ...]:
    shown = m.shown
    before = f" +{len(shown['before'])}" if shown["before"] else ""
    flaky = f" (repeats {shown['flaky']})" if shown["flaky"] else ""
    return (
        f"`{m.name}`",
        f"`{shown['line']}`{before}{flaky}",
        revealed(m, m.sharpest),
        str(len(shown["apart"])),
        str(shown["tries"]),
    )


def _laws(sight: Sight) -> list[str]:
    kills = sight.kills
    alone = {law["law"]: [m.name for m in sight.counted if m.laws == [law["law"]]] for law in sight.laws}
    rows = [
        (f"`{law['law']}`", law["family"], str(kills[law["law"]]), ", ".join(f"`{name}`" for name in alone[law["law"]]))
        for law in sorted(sight.laws, key=lambda law: -kills[law["law"]])
    ]
    said = f"Kill nothing: {', '.join(f'`{name}`' for name in sight.blind)}." if sight.blind else "Each law kills something."
    return ["## The laws", said, table(("law", "family", "kills", "only it kills"), rows)]


def _survivors(sight: Sight) -> list[str]:
    rows = [(f"`{m.name}`", m.about["difficulty"], _times(m), m.about["reason"] or "no reason is known") for m in sight.survivors]
    innocent = [f"`{m.name}`: {m.about['innocent']}; found by {_times(m)} seeds." for m in sight.mutants if m.about["innocent"]]
    body = table(("mutant", "difficulty", "seeds", "why"), rows) if rows else "None."
    return ["## Survivors", body, *(["Right, and not to be found:", *innocent] if innocent else [])]


def _times(m: Seen) -> str:
    return m.runs["quest"].times if "quest" in m.runs else "0/0"
