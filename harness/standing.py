"""Does a known finding still show? Its exact lines, run again on what is installed."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from convlaws.environment import hidden_by
from convlaws.errors import HarnessError
from convlaws.known import Known, Ledger, in_range, installed, is_older
from convlaws.laws.registry import Law, laws
from convlaws.methods.registry import Method, rows
from convlaws.problem import Problem
from convlaws.remembering import Runner
from convlaws.replay import Judge, why_not
from convlaws.results import Verdict

ROUNDS = 3  # fresh processes for each line
KINDS = ("method", "engine", "compiled", "cuda", "mutant")


class State(enum.StrEnum):
    """What became of a known finding."""

    SHOWS = "shows"
    FLAKY = "flaky"  # in some of the rounds
    FIXED = "fixed"  # none of its lines shows it, where it could
    UNSEEN = "not seen here"  # nor could it: the processor is another one
    CANNOT = "cannot run here"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a known finding stands here. `lines`: in how many of the `rounds` each line showed it; `why` in words."""

    entry: Known
    state: State
    rounds: int = 0
    lines: dict[str, int] = field(default_factory=dict)
    why: str = ""

    @property
    def surprise(self) -> bool:
        """Whether the entry says something else: fixed within its versions, or there outside of them."""
        expected = in_range(self.entry.package, self.entry.versions)
        return {State.FIXED: expected, State.SHOWS: not expected, State.FLAKY: not expected}.get(self.state, False)

    def __str__(self) -> str:
        most = max(self.lines.values(), default=0)
        state = f"flaky {most}/{self.rounds}" if self.state is State.FLAKY else str(self.state)
        return f"{state}: {self.why}" if self.why else state


class _NowhereError(Exception):
    """A line that nothing here can run; the message says why."""


def standing(entry: Known, runner: Runner, rounds: int = ROUNDS) -> Standing:
    """Run each line of `entry` in `rounds` fresh processes, by the methods and laws that it names.

    Outside of its versions it is run all the same: a finding that is there has another range then.
    """
    if entry.package and not installed(entry.package):
        return Standing(entry=entry, state=State.CANNOT, why=f"{entry.package} is not installed")
    lines: dict[str, int] = {}
    reasons = ["it has no lines"] if not entry.lines else []
    for problem in entry.problems:
        try:
            lines[str(problem)] = sum(_shows(entry, problem, runner) for _ in range(rounds))
        except (_NowhereError, HarnessError) as error:
            reasons.append(str(error))
    if not lines:
        return Standing(entry=entry, state=State.CANNOT, why=reasons[0])
    state, why = _state(entry, max(lines.values()), rounds)
    seen = sum(map(bool, lines.values()))
    some = [f"{seen} of its {len(entry.lines)} lines"] * (0 < seen < len(entry.lines))
    return Standing(entry=entry, state=state, rounds=rounds, lines=lines, why="; ".join([*some, *filter(None, [why]), *reasons]))


def _state(entry: Known, times: int, rounds: int) -> tuple[State, str]:
    """The state of an entry that showed `times` in `rounds`, and what is to say of it."""
    version = f"{entry.package} {installed(entry.package)}".strip()
    outside = "" if in_range(entry.package, entry.versions) else f"{version} is outside of its versions {entry.versions}"
    if times:
        return (State.SHOWS if times == rounds else State.FLAKY), outside
    if outside:
        return (State.UNSEEN if is_older(entry.package, entry.versions) else State.FIXED), outside
    if reason := hidden_by(entry.processor):
        return State.UNSEEN, reason
    return State.FIXED, f"with {version}, none of its lines shows it in {rounds} fresh processes" if version else ""


def _shows(entry: Known, problem: Problem, runner: Runner) -> bool:
    """Whether the problem fails as the entry says, for one of its methods and laws.

    Raises:
        _NowhereError: none of them takes the problem here.
    """
    timeless = Ledger([replace(entry, versions="", processor=())])
    runner.refresh()
    judge, reasons, judged = Judge(runner), [], False
    for method, law in _named(entry):
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


def _named(entry: Known) -> Iterable[tuple[Method, Law]]:
    """The methods and laws of an entry: by any of them, since those of a plan may be the ones that never showed it."""
    return [(m, w) for m in rows(*KINDS) if entry.names(m.name) for w in laws() if entry.names(m.name, w.name)]


def gone(entries: Iterable[Known], runner: Runner) -> list[Standing]:
    """Of those entries the ones that could run and do not show; what shows at once is not run again."""
    quick = (k for k in entries if k.lines and standing(k, runner, 1).state in (State.FIXED, State.UNSEEN))
    return [found for k in quick if (found := standing(k, runner)).state in (State.FIXED, State.UNSEEN)]
