"""`convlaws diff`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from convlaws.cli import settings
from convlaws.cli.options import calling
from convlaws.judge.recheck import rechecked
from convlaws.records import environment
from convlaws.records.diff import Change, Difference, Side, apart, differences, tally
from convlaws.records.finding import CellId, counted
from convlaws.records.run_file import RunFile, read_run, unlike
from convlaws.reports import console
from convlaws.sandbox.settings import running

WIDE = 50  # maximum characters of a value that is printed side by side with another
SHOWN = 12  # maximum of failing lines of one kind that are printed in full
# the changes that are listed, with their headings
_LISTED = {
    Change.BROKE: "broke",
    Change.SUSPECT: "perhaps broke (kept before, but on other problems: repeat the line with the old version)",
    Change.FIXED: "fixed",
    Change.MAYBE_FIXED: "perhaps fixed (kept now, but on other problems: --recheck runs the old line)",
    Change.OTHERWISE: "fails otherwise than before",
    Change.MOVED: "worst error over slack moved",
    Change.INCONCLUSIVE: "cannot say",
    Change.GONE: "no longer tried",
    Change.ADDED: "newly tried",
}
_IN_FULL = (Change.BROKE, Change.SUSPECT, Change.FIXED, Change.MAYBE_FIXED)
_QUIET = (Change.SAME, Change.NOTHING_TO_SAY)


@click.command()
@click.argument("old", type=click.Path(path_type=Path), metavar="OLD.jsonl")
@click.argument("new", type=click.Path(path_type=Path), metavar="NEW.jsonl")
@click.option("--recheck", is_flag=True, help="Run the failing lines of OLD again, on what is installed here.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@calling
def command(old, new, **options) -> None:
    """What broke and what got fixed from one file of 'check --json' to another: two versions of an engine, or two machines.

    A method is compared with the one of its name, or of its name before '@'. The exit code is 1 if something broke.
    """
    raise SystemExit(run(old, new, **options))


def run(old_path: Path, new_path: Path, *, recheck: bool, as_json: bool, **o) -> int:
    """Compare and print; return the exit code."""
    old, new = read_run(old_path), read_run(new_path)
    changes = differences(old.findings, new.findings)
    elsewhere = _elsewhere(new) if recheck else ""
    if recheck:
        with running(settings.setting(o)) as runner:
            changes = rechecked(changes, settings.calling(o), runner, alike=not elsewhere)
    where = (elsewhere or "rechecked here, where all is as in the new run") if recheck else ""
    click.echo(json.dumps(_record(old, new, changes), indent=1) if as_json else "\n\n".join(_parts(old, new, changes, where)))
    return int(any(d.change is Change.BROKE for d in changes))


# --- as text ----------------------------------------------------------------------------
def _parts(old: RunFile, new: RunFile, found: list[Difference], where: str) -> list[str]:
    parts = [
        _side_by_side(old, new),
        *(f"{run.path}: {said}" for run in (old, new) for said in run.warnings),
        where,
        _table(found),
    ]
    for change, heading in _LISTED.items():
        some = [d for d in found if d.change is change]
        text = _in_full(some) if change in _IN_FULL else _in_lines(some)
        parts.append(f"{heading}:\n{text}" if some else "")
    return [*filter(None, parts), _last_line(found)]


def _side_by_side(old: RunFile, new: RunFile) -> str:
    """The differences in settings and environment as a table; long values one below the other."""
    rows = [("", old.path, new.path), *unlike(old.facts(), new.facts())]
    if len(rows) == 1:
        rows.append(("", "the same environment, command and seed", ""))
    long = [row for row in rows if max(map(len, row)) > WIDE]
    short = [row for row in rows if row not in long]
    first, second = (max((len(row[n]) for row in short), default=0) for n in (0, 1))
    lines = [f"{name:{first}}  {a:{second}}  {b}".rstrip() for name, a, b in short]
    return "\n".join(lines + [f"{name or 'file'}\n  old  {a}\n  new  {b}" for name, a, b in long])


def _elsewhere(new: RunFile) -> str:
    """A sentence on what differs here from the environment of the new run; '' if nothing."""
    here = RunFile("here", [], {"environment": environment.facts()})
    names = [name for name, _, _ in unlike(new.facts(), here.facts()) if name not in ("command", "seed", "draw")]
    return f"rechecked here, which is not where {new.path} ran: other {', '.join(names)}" if names else ""


def _table(found: Sequence[Difference]) -> str:
    by = tally(found)
    shown = [c for c in Change if any(count[c] for count in by.values())]
    wide = max(map(len, by))
    size = {c: max(len(c), 5) for c in shown}
    lines = [f"{'(law, op) of':{wide}}  " + "  ".join(f"{c:>{size[c]}}" for c in shown)]
    lines += [f"{m:{wide}}  " + "  ".join(f"{count[c] or '.':>{size[c]}}" for c in shown) for m, count in by.items()]
    return "\n".join(lines)


def _in_full(found: Sequence[Difference]) -> str:
    """Each failing line once, with its message and the results of both sides."""
    groups: dict[tuple[str, str], list[Difference]] = {}
    for d in found:
        assert d.shown is not None
        groups.setdefault((d.cell[0], d.shown.problem), []).append(d)
    parts = []
    for group in list(groups.values())[:SHOWN]:
        group.sort(key=lambda d: -(d.shown.specific if d.shown else 0))
        others = [d.cell[1] for d in group[1:]]
        also = [f"  the same line in: {', '.join(others)}"] * bool(others)
        head, _, tail = console.failure(group[0].shown).rpartition("\n  repeat:") if group[0].shown else ("", "", "")
        parts.append("\n".join([head, f"  {_before_and_after(group[0])}", *also, f"  repeat:{tail}"]))
    left = len(groups) - SHOWN
    return "\n\n".join([*parts, *[f"... and {counted(left, 'more failing line')}; --json has all"] * (left > 0)])


def _before_and_after(d: Difference) -> str:
    said = " -> ".join(str(side) if side else "not tried" for side in (d.old, d.new))
    return f"{said}; {d.note}" if d.note else said


def _in_lines(found: Sequence[Difference]) -> str:
    """One line for each equal change within a method: the reason, then the laws and ops."""
    groups: dict[tuple[str, str], list[CellId]] = {}
    for d in found:
        said = d.note if d.change is Change.MOVED else _before_and_after(d)
        groups.setdefault((d.cell[0], said), []).append(d.cell)
    return "\n".join(f"  {method}  {_cells(cells)}: {said}" for (method, said), cells in groups.items())


def _cells(cells: Sequence[CellId]) -> str:
    first = ", ".join(f"{law} ({op})" for _, law, op in cells[:2])
    return first if len(cells) <= 2 else f"{first} and {len(cells) - 2} more"


def _last_line(found: Sequence[Difference]) -> str:
    count = Counter(d.change for d in found)
    said = ", ".join(f"{count[c]} {c}" for c in Change if count[c] and c not in _QUIET)
    blind = apart(found)
    unsure = f"; {blind} kept by both on different problems, whose worst ratios cannot be compared" if blind else ""
    return f"{said or 'nothing changed'}; {count[Change.SAME]} kept by both{unsure}"


# --- as JSON ----------------------------------------------------------------------------
def _record(old: RunFile, new: RunFile, found: Iterable[Difference]) -> dict:
    found = list(found)
    return {
        "old": old.path,
        "new": new.path,
        "environment": {name: [a, b] for name, a, b in unlike(old.facts(), new.facts())},
        "warnings": {run.path: run.warnings for run in (old, new)},
        "counts": {str(c): n for c, n in Counter(d.change for d in found).items()},
        "changes": [_difference(d) for d in found if d.change not in _QUIET],
    }


def _difference(d: Difference) -> dict:
    fields = dict(zip(("method", "law", "op"), d.cell, strict=True))
    return {**fields, "change": str(d.change), "old": _side(d.old), "new": _side(d.new), "note": d.note}


def _side(side: Side | None) -> dict | None:
    if side is None:
        return None
    first = side.findings[0]
    fields = {"method": first.method, "says": str(side), "examples": first.examples, "worst_ratio": first.worst_ratio}
    return {**fields, "failing": [{"problem": f.problem, "signature": f.signature, "known": f.known} for f in side.bad]}
