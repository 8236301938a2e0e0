"""Re-run failing lines of an old run on the installed versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from convlaws.errors import HarnessError, UnknownName
from convlaws.judge.replay import FRESH, k_of_n, repeated, why_not
from convlaws.laws.registry import find
from convlaws.problem.problem import Problem
from convlaws.records.diff import Change, Difference, base
from convlaws.records.finding import Finding, Verdict
from convlaws.sandbox.runner import Runner
from convlaws.targets.registry import Method
from convlaws.targets.resolve import Calling, resolve


def rechecked(found: Iterable[Difference], calling: Calling, runner: Runner, *, alike: bool) -> list[Difference]:
    """Return the differences, with a note where the old side failed.

    A fix whose line still fails is none. MAYBE_FIXED becomes FIXED if the installed versions are those of the new run (`alike`).
    """
    return [_rechecked(d, calling, runner, alike) if d.old and d.old.bad else d for d in found]


def _rechecked(d: Difference, calling: Calling, runner: Runner, alike: bool) -> Difference:
    assert d.old is not None
    try:
        method = _method(d.cell[0], calling)
        times = [_times(method, f, runner) for f in d.old.bad]
    except HarnessError as error:
        return _noted(d, f"the old line cannot be run here: {error}")
    most = max(times)
    said = f"fails here, {most}" if most else f"is kept here, {FRESH}"
    return replace(_noted(d, f"the old line {said} of {FRESH} times"), change=_sure(d.change, most, alike))


def _sure(change: Change, times: int, alike: bool) -> Change:
    """Return the change after the old line has failed `times` of FRESH times."""
    if change not in (Change.FIXED, Change.MAYBE_FIXED):
        return change
    if not times:
        return Change.FIXED if alike else change
    return Change.STILL if times == FRESH else Change.INCONCLUSIVE


def _noted(d: Difference, note: str) -> Difference:
    return replace(d, note=f"{d.note}; {note}" if d.note else note)


def _method(name: str, calling: Calling) -> Method:
    """Return the method of that name, or of its name without the version."""
    try:
        return resolve([name], calling)[0]
    except UnknownName:
        return resolve([base(name)], calling)[0]


def _times(method: Method, old: Finding, runner: Runner) -> int:
    """Return in how many fresh processes the line of an old failure fails.

    Raises:
        UnknownName: the law no longer exists.
        UnsuitableError: the line was neither kept nor broken.
    """
    lines = [Problem.parse(line) for line in (*old.history, old.problem)]
    [law] = find([old.law])
    if reason := why_not(method, law, lines[-1]):
        raise UnsuitableError(reason)

    def fails() -> bool:
        ((_, outcome),) = repeated(method, [law], lines, runner)
        if outcome.verdict in (Verdict.REFUSED, Verdict.VACUOUS):
            raise UnsuitableError(f"{outcome.verdict}: {outcome.message}")
        return outcome.verdict.bad

    return k_of_n(fails)


class UnsuitableError(HarnessError):
    """A line that gives no verdict on a method: refused, or vacuous."""
