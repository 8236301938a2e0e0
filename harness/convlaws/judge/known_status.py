"""Re-run the problem lines of a known finding and report whether it still fails."""

from __future__ import annotations

import enum
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from convlaws.errors import HarnessError
from convlaws.judge.replay import FRESH, Judge, k_of_n, why_not
from convlaws.known import Known, Ledger, in_range, installed, is_older
from convlaws.laws.registry import Law, laws
from convlaws.problem.problem import Problem
from convlaws.records.finding import Verdict
from convlaws.sandbox.runner import Runner
from convlaws.targets.isa import lacks
from convlaws.targets.registry import Method, rows

KINDS = ("method", "engine", "compiled", "cuda", "mutant")


class State(enum.StrEnum):
    """The state of a known finding on this machine."""

    SHOWS = "shows"
    FLAKY = "flaky"  # in some of the rounds
    FIXED = "fixed"  # no line shows it, on a processor and version that can
    ELSEWHERE = "not on this processor"  # no line shows it, nor could it: this version showed it on another processor
    NOT_REPRODUCIBLE = "not seen here"  # no line shows it, which proves nothing: it is flaky, or the version is older than it
    CANNOT = "cannot run here"


@dataclass(frozen=True, kw_only=True)
class KnownStatus:
    """The result for a known finding. `lines`: in how many of the `rounds` each line showed it; `why` in words."""

    entry: Known
    state: State
    rounds: int = 0
    lines: dict[str, int] = field(default_factory=dict)
    why: str = ""

    @property
    def surprise(self) -> bool:
        """True if the entry is outdated: fixed within its versions, or failing outside of them."""
        expected = in_range(self.entry.package, self.entry.versions)
        return {State.FIXED: expected, State.SHOWS: not expected, State.FLAKY: not expected}.get(self.state, False)

    def __str__(self) -> str:
        most = max(self.lines.values(), default=0)
        state = f"flaky {most}/{self.rounds}" if self.state is State.FLAKY else str(self.state)
        return f"{state}: {self.why}" if self.why else state


class _NowhereError(Exception):
    """Raised for a line that nothing here can run; the message says why."""


def known_status(entry: Known, runner: Runner, methods: Iterable[Method] = ()) -> KnownStatus:
    """Run each line of `entry` in FRESH fresh processes, with the methods and laws that it names.

    It is run outside of its versions too: if it fails there, its range must be changed. `methods` (rows at an ISA
    level, functions of a user) are tried before the rows of the table.
    """
    if entry.package and not installed(entry.package):
        return KnownStatus(entry=entry, state=State.CANNOT, why=f"{entry.package} is not installed")
    asked = _named(entry, methods)
    lines: dict[str, int] = {}
    reasons = ["it has no lines"] if not entry.lines else []
    for problem in entry.problems:
        try:
            lines[str(problem)] = k_of_n(partial(_shows, entry, problem, runner, asked))
        except (_NowhereError, HarnessError) as error:
            reasons.append(str(error))
    if not lines:
        return KnownStatus(entry=entry, state=State.CANNOT, why=reasons[0])
    state, why = _state(entry, max(lines.values()), [method for method, _ in asked])
    seen = sum(map(bool, lines.values()))
    some = [f"{seen} of its {len(entry.lines)} lines"] * (0 < seen < len(entry.lines))
    why = "; ".join([*some, *filter(None, [why]), *reasons])
    return KnownStatus(entry=entry, state=state, rounds=FRESH, lines=lines, why=why)


def _state(entry: Known, times: int, methods: list[Method]) -> tuple[State, str]:
    """Return the state of an entry that showed `times` in FRESH, and the reason in words."""
    version = f"{entry.package} {installed(entry.package)}".strip()
    outside = "" if in_range(entry.package, entry.versions) else f"{version} is outside of its versions {entry.versions}"
    if times:
        return (State.SHOWS if times == FRESH else State.FLAKY), outside
    if outside:
        return (State.NOT_REPRODUCIBLE if is_older(entry.package, entry.versions) else State.FIXED), outside
    if reason := _hidden(entry, methods) or _elsewhere(entry, methods):
        return State.ELSEWHERE, reason
    if entry.flaky:
        return State.NOT_REPRODUCIBLE, f"where it was seen, it showed in {entry.flaky} fresh processes"
    return State.FIXED, f"with {version}, none of its lines shows it in {FRESH} fresh processes" if version else ""


def _hidden(entry: Known, methods: list[Method]) -> str:
    """Return why none of the methods has the extensions that the entry needs, in words; '' if one has."""
    reasons = [lacks(entry.processor, method.extensions) for method in methods]
    return reasons[0] if reasons and all(reasons) else ""


def _elsewhere(entry: Known, methods: list[Method]) -> str:
    """Return where the installed version showed it, in words; '' if on a processor like this one, or not on record."""
    places = [place for place in entry.seen if place.get("version", "") == installed(entry.package)]
    here = {method.extensions for method in methods}
    if not places or any(frozenset(place.get("flags", "").split()) in here for place in places):
        return ""
    version = f"{entry.package} {installed(entry.package)}".strip()
    return f"{version} showed it on {places[0].get('cpu') or 'another processor'}".strip()


def _shows(entry: Known, problem: Problem, runner: Runner, asked: list[tuple[Method, Law]]) -> bool:
    """True if the problem fails as the entry says, for one of its methods and laws.

    Raises:
        _NowhereError: none of them takes the problem here.
    """
    timeless = Ledger([replace(entry, versions="", processor=())])
    runner.refresh()
    judge, reasons, judged = Judge(runner), [], False
    for method, law in asked:
        if reason := why_not(method, law, problem):
            reasons.append(reason)
            continue
        outcome = judge(method, law, problem)
        if outcome.verdict is Verdict.REFUSED:
            reasons.append(outcome.message)
            continue
        judged = True
        if outcome.verdict.bad and judge.explained(timeless, method, law, problem, outcome):
            return True
    if not judged:
        raise _NowhereError(reasons[-1] if reasons else "no method or law has its names")
    return False


def _named(entry: Known, methods: Iterable[Method]) -> list[tuple[Method, Law]]:
    """Return all methods and laws that the entry names, as those of a plan may be the ones that never showed it."""
    named = {m.name: m for m in (*methods, *rows(*KINDS)) if entry.names(m.name)}
    return [(m, w) for m in named.values() for w in laws() if entry.names(m.name, w.name)]


QUICK = 2.0  # seconds for a call when a known finding is only looked at
NOT_SHOWN = (State.FIXED, State.NOT_REPRODUCIBLE, State.ELSEWHERE)  # the states of an entry that no line shows here


def no_longer_failing(
    entries: Iterable[Known], runner: Runner, methods: Iterable[Method] = (), until: float = float("inf")
) -> tuple[list[KnownStatus], list[Known]]:
    """Return the entries that could run and do not show, and those for which there was no time.

    Entries that none of `methods` can show on this processor are left out. The user's own come first, as a repaired one is a
    failure; an entry that shows in the first round is not run again. `until` is by time.monotonic().
    """
    methods, absent, left = list(methods), [], []
    for entry in sorted((k for k in entries if k.lines and not _hidden(k, methods)), key=lambda k: not k.file):
        if time.monotonic() > until and not entry.file:
            left.append(entry)
        elif not _shows_quickly(entry, runner, methods):
            found = known_status(entry, runner, methods=methods)
            absent += [found] if found.state in NOT_SHOWN else []
    return absent, left


def _shows_quickly(entry: Known, runner: Runner, methods: list[Method]) -> bool:
    """True if one of its lines shows it, in one fresh process, with QUICK seconds a call: what hangs shows that early too."""
    limit, asked = runner.time_limit, _named(entry, methods)
    runner.time_limit = min(limit, QUICK)
    try:
        for problem in entry.problems:
            with suppress(_NowhereError, HarnessError):
                if _shows(entry, problem, runner, asked):
                    return True
    finally:
        runner.time_limit = limit
    return False
