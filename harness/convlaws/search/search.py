"""Draw problems, judge everything on each, shrink each failure on its own; under a time budget.

Problems are drawn in blocks (`strategies.blocks`). A failure is shrunk later by Hypothesis, which replays the choices
that the problem was drawn with, and has a test function that fails for this failure alone.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count
from math import inf

from convlaws.errors import HarnessError
from convlaws.judge.case import Oracle, Outcome, examine, holds_under
from convlaws.judge.cell import Cell, Failure
from convlaws.judge.side_by_side import SideBySide
from convlaws.known import Ledger
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.records.coverage import Coverage
from convlaws.records.finding import Finding, Verdict
from convlaws.sandbox.interrupt import Interrupt, Interrupted, deferred_sigint
from convlaws.sandbox.runner import Runner, uncached
from convlaws.search.budget import Allowance
from convlaws.search.drawing import judge_each
from convlaws.search.observations import observed, saw
from convlaws.search.plan import Plan
from convlaws.search.shrink import Shrinker
from convlaws.search.startup import opened
from convlaws.strategies.blocks import Drawn, block
from convlaws.strategies.size_limits import vast
from convlaws.targets.registry import rows

BATCH = 24
FIRST = 0.3  # of a budget, for the first examples under the definition: whatever else there is no time for
SHRINKING = 0.3  # of a budget, the most that is kept for making failures small
A_FAILURE = 4.0  # seconds of it that are kept for each failure that waits (90 of three methods took 0.03 to 2.05 s)
UNHURRIED = 260.0  # seconds for making failures small in a run that has a number of examples in place of a budget
LONG, VAST_SHARE = 0.5, 0.005  # seconds, and share of a budget: a method that needs more for a vast problem gets no other
LOOK = 4  # examples of each cell before any has more: most mistakes show at once, to the law that sees them
PATIENCE = 3  # batches without a new example after which a cell is left alone in a round
DEFINITION = "equals-the-definition"  # the law that tells which contracts hold
LAWS_A_JOB = 6  # that share their draws: drawing costs as much as judging a few cases
STEP = (5**0.5 - 1) / 2  # multiples of the golden section lie evenly in [0, 1), however many there are
TRAIL = 256  # how many cases of a method before a failure are remembered


class StopError(BaseException):
    """Ends a Hypothesis run at once; an Exception would be taken for a failing test."""


def _has_definition(cells: Iterable[Cell]) -> bool:
    return any(cell.law.name == DEFINITION for cell in cells)


def _told(cells: Iterable[Cell]) -> dict:
    """An event: all that is known of these cells by now, in place of what was told of them before."""
    return {"findings": [finding for cell in cells for finding in cell.findings()]}


def _once_each(problems: Iterable[Drawn]) -> Iterator[Drawn]:
    """The first draw of each problem."""
    seen: set[Problem] = set()
    for drawn in problems:
        if drawn.problem not in seen:
            seen.add(drawn.problem)
            yield drawn


class Search:
    """One run of a plan in this process; `notify` gets progress and findings as dicts, as soon as they are known.

    Ctrl-C ends it before the next case and keeps what was found; a second one raises KeyboardInterrupt, unless `ignore_second`.
    """

    serving: Sequence[Cell] = ()  # the cells of the job that is being drawn for
    looking = False  # in the first look, with few examples for each cell
    catching_up = False  # in a round for the cells that lack examples
    missing: float = inf  # how many examples were lacking before this round

    def __init__(
        self,
        plan: Plan,
        runner: Runner,
        ledger: Ledger | None = None,
        notify: Callable[[dict], None] = lambda event: None,
        *,
        ignore_second: bool = False,
    ):
        self.plan, self.runner, self.notify = plan, SideBySide(runner), notify
        self.ledger = ledger or Ledger([])
        self.oracle = Oracle()
        self.peers = tuple(m.name for m in rows() if "peer" in m.can)
        self.started = time.monotonic()
        self.judged, self.cases = 0, Counter[str]()  # cases by method, those of shrinking left out
        self.ignore_second = ignore_second
        self.interrupt = Interrupt()
        self.shrinker = Shrinker(self, allowance=0.4 * plan.budget if plan.budget else UNHURRIED)
        self.jobs: list[list[Cell]] = []
        self.allowance = Allowance(plan.budget, 1, 1)
        self.tried = Coverage()
        self.refused: list[Finding] = []
        self.waiting: list[tuple[Cell, Failure, Drawn]] = []
        self.trail: dict[str, deque[str]] = {}
        self.slow: dict[str, str] = {}  # methods that get no more vast problems, and why

    def run(self) -> list[Finding]:
        """All findings: first every cell gets its floor, then the budget is spent round by round."""
        with deferred_sigint(ignore_second=self.ignore_second) as self.interrupt:
            try:
                self.prepare()
                self._draw()
                self._shrink()
            except (StopError, Interrupted):
                self.notify({"interrupted": True})
            self.notify({"judged": self.judged, "census": self.coverage()})
        return self.findings()

    def _draw(self) -> None:
        """Until the time is over; an error ends it too, but keeps what was judged before."""
        try:
            self._rounds()
        except StopError:
            if self.interrupt.requested:
                raise
        except HarnessError as error:
            if not any(cell.examples for cells in self.jobs for cell in cells):
                raise  # nothing was judged: there is nothing to keep
            self.waiting.clear()
            self.notify({"lost": f"the search ended early: {error}"})

    def coverage(self) -> dict:
        """What was asked and how it ended, by method; see `records.coverage`."""
        return self.tried.record(self.plan.admits)

    def prepare(self) -> None:
        """Lay out the cells, and open what lives elsewhere before the clock runs."""
        for cells, refused in self.plan.jobs(LAWS_A_JOB):
            self._stop_if_interrupted()
            self.jobs += [cells] if cells else []
            self.refused += refused
        drawing = (1 - FIRST - SHRINKING) * self.plan.budget if self.plan.budget else None
        self.allowance = Allowance(drawing, len(self.jobs), len(self.plan.methods))
        self.jobs, lost = opened(self.jobs, self.plan.methods, self.runner)
        self.refused += lost
        self.started = time.monotonic()
        if self.plan.budget is not None:
            self.shrinker.deadline = self.started + self.plan.budget
        self.notify({"findings": list(self.refused)})

    def findings(self) -> list[Finding]:
        """What is known so far, of every cell."""
        return self.refused + [f for cells in self.jobs for cell in cells for f in cell.findings()]

    def _rounds(self) -> None:
        for number in (1,) if self.plan.budget is None else count():
            self.catching_up = number > 1 and self._fewer_are_missing()
            for index, cells in self._ordered(number):
                self._serve(cells, number, index)
                self.notify({**self._progress(number, index), **_told(cells)})
            if number:  # not at once: every cell should have its floor before one failure takes seconds
                self._shrink()
            if all(cell.exhausted for cells in self.jobs for cell in cells):
                return  # no time would bring an example: there is no cell, or nothing but refusals came of them all

    def _ordered(self, number: int) -> list[tuple[int, list[Cell]]]:
        """The jobs with their numbers; in the first look those under the definition come first."""
        numbered = list(enumerate(self.jobs))
        return numbered if number else sorted(numbered, key=lambda job: not _has_definition(job[1]))

    def _stop_if_late(self) -> None:
        """End the drawing: at the end of the budget, or earlier where failures are still to be made small."""
        if self.plan.budget is not None:
            kept = min(SHRINKING * self.plan.budget, len(self.waiting) * A_FAILURE)
            if time.monotonic() - self.started > self.plan.budget - kept:
                raise StopError
        self._stop_if_interrupted()

    def _stop_if_interrupted(self) -> None:
        if self.interrupt.requested:
            raise StopError

    def _serve(self, cells: list[Cell], number: int, index: int) -> None:
        """Draw for the cell that lacks most examples until all have their share, or nothing helps."""
        self.serving, self.looking = cells, not number
        cells = sorted(cells, key=lambda cell: -cell.scope.width)  # what is drawn from a wide scope serves narrow ones too
        for cell in cells:
            cell.goal, cell.idle = self._goal(cell, number), 0
        batch = 0
        self.allowance.next_job(1.0 if number else min(1.0, LOOK / self.plan.examples))
        if self.plan.budget and not number and _has_definition(cells):
            first = sum(map(_has_definition, self.jobs)) * len(self.plan.methods)
            self.allowance.grant(FIRST * self.plan.budget / first)
        while wanting := [c for c in cells if c.wants and c.idle < PATIENCE]:
            self._stop_if_late()  # a batch in which nothing is judged takes its time too
            target = max(wanting, key=lambda c: c.lacks)
            before = target.own
            count = int(min(BATCH, target.lacks + (4 if number else 1)))
            place = ((number * len(self.jobs) + index) * STEP + batch * 2**0.5) % 1
            self._batch(target, wanting, block(target.scope, self.plan.seed_of(target, number, batch), count, place))
            target.idle = 0 if target.own > before else target.idle + 1
            batch += 1

    def _goal(self, cell: Cell, number: int) -> float:
        """After how many examples a cell has had its share: a look at every law, the floor for all, then by weight."""
        floor = self.plan.examples
        if number == 0 and cell.law.name == DEFINITION:
            return floor
        if number < 2 or self.catching_up:
            return floor if number else min(LOOK, floor)
        return cell.examples + floor * cell.law.weight

    def _fewer_are_missing(self) -> bool:
        """True if cells are short of their floor, and less so than a round ago: slow methods, which were not given the time."""
        floor, before = self.plan.examples, self.missing
        self.missing = sum(max(0, floor - c.examples) for cells in self.jobs for c in cells if not c.exhausted)
        return 0 < self.missing < before

    def _batch(self, target: Cell, cells: Iterable[Cell], problems: Iterable[Drawn]) -> None:
        """Judge a block that was drawn for `target`; each of `cells` whose scope has a problem judges it."""
        alike: dict[Scope, list[Cell]] = {}
        for cell in cells:
            alike.setdefault(cell.scope, []).append(cell)

        def judge_all(drawn: Drawn) -> None:
            before, one_by_one = len(self.runner), vast(drawn.problem.spec)
            for scope, group in alike.items():
                for cell in group if scope is target.scope or not scope.refuses(drawn.problem) else ():
                    self._judge(cell, drawn)
                    if one_by_one:
                        self.runner.finish()  # whether a method is slow is known before it gets the problem again
            # the cases of the problem before; an observed problem's own too, as its record is written next
            self.runner.finish(0 if observed() else max(0, len(self.runner) - before))

        try:
            judge_each(_once_each(problems), judge_all, target.job)
            self.runner.finish()
        except BaseException:
            self.runner.abandon()
            raise

    def _judge(self, cell: Cell, drawn: Drawn) -> None:
        problem = drawn.problem
        if not cell.wants or (cell.examples >= cell.goal and not drawn.scope.covers(cell.scope)):
            return  # all that it still lacks are problems of its own scope
        if self.looking and cell.law.name != DEFINITION and vast(problem.spec):
            return  # it takes as long as a hundred others
        self._stop_if_late()
        if region := self.ledger.avoids(cell.method, cell.law.name, problem):
            cell.avoid(region)
            self.tried.see(cell.method.name, problem, Verdict.REFUSED)
        elif cell.method.name in self.slow and vast(problem.spec):
            cell.pass_over(self.slow[cell.method.name])
            self.tried.see(cell.method.name, problem, Verdict.REFUSED)
        else:
            self._begin(cell, drawn)

    def _begin(self, cell: Cell, drawn: Drawn) -> None:
        """Run the case as far as it goes without waiting; it is recorded once those begun before it are."""
        cell.begun += 1
        self.runner.start(partial(self.examine, cell, drawn.problem), partial(self._end, cell, drawn))

    def _end(self, cell: Cell, drawn: Drawn, outcome: Outcome) -> None:
        cell.begun -= 1
        self.cases[cell.method.name] += 1
        self.allowance.charge(cell, outcome.seconds, self.serving)
        saw(cell.method.name, cell.law.name, outcome.verdict, outcome.signature)
        if self.plan.budget and outcome.seconds > max(LONG, VAST_SHARE * self.plan.budget) and vast(drawn.problem.spec):
            self.slow.setdefault(cell.method.name, f"it took {outcome.seconds:.1f} s on {drawn.problem}: none as large after it")
        self._record(cell, drawn, outcome)

    def _record(self, cell: Cell, drawn: Drawn, outcome: Outcome) -> None:
        problem = drawn.problem
        trail = self.trail.setdefault(cell.method.name, deque(maxlen=TRAIL))
        known = self.explained(cell, problem, outcome) if outcome.verdict.bad else ""
        self.tried.see(cell.method.name, problem, outcome.verdict)
        if cell.law.name == DEFINITION and outcome.verdict in (Verdict.KEPT, Verdict.BROKEN):
            cell.hold(problem.dtype, self._holding(cell, problem, outcome))
        failure = cell.add(problem, outcome, known, own=drawn.scope.covers(cell.scope))
        if failure:
            failure.after, failure.after_seconds = self.cases[cell.method.name], self.allowance.spent[cell.method.name]
        if failure and known:
            failure.shrunk = True  # its entry has the small line already
        elif failure:
            failure.before = list(trail)
            self.waiting.append((cell, failure, drawn))
            self.notify(_told([cell]))  # shrinking takes seconds, and may never end
        elif outcome.verdict.bad:
            self._shrink_from_smaller(cell, drawn, outcome, known)
        if cell.last not in trail:
            trail.append(cell.last)

    def _shrink_from_smaller(self, cell: Cell, drawn: Drawn, outcome: Outcome, known: str) -> None:
        """Let the shrinking of a failure that waits begin at this problem, which failed alike, if it is smaller."""
        for place, (owner, failure, _) in enumerate(self.waiting):
            alike = owner is cell and (failure.outcome.signature, failure.known) == (outcome.signature, known)
            if alike and drawn.problem.spec.macs < failure.problem.spec.macs:
                failure.problem, failure.outcome = drawn.problem, outcome
                failure.before = list(self.trail[cell.method.name])
                self.waiting[place] = cell, failure, drawn

    def _holding(self, cell: Cell, problem: Problem, outcome: Outcome) -> Callable[[str], bool]:
        """Whether the case ends well under a contract; the one that it was judged by is not asked again."""
        under = holds_under(cell.method, cell.law, problem, self.runner, self.oracle, self.peers)
        declared = cell.method.contract(problem.spec, problem.op, problem.dtype)
        return lambda name: not outcome.verdict.bad if name == declared else under(name)

    def _shrink(self) -> None:
        while self.waiting:
            self._stop_if_interrupted()  # who pressed Ctrl-C does not wait for small lines
            cell, failure, drawn = self.waiting.pop(0)
            self.shrinker.shrink(cell, failure, drawn)
            self.trail.clear()  # the processes in which all that ran are gone
            self.notify({"failure": f"{cell.method.name} {failure.outcome.verdict} {cell.law.name}", **_told([cell])})

    def examine(self, cell: Cell, problem: Problem, *, fresh: bool = False) -> Outcome:
        """Run one case; `fresh` runs every call, even if its answer is known."""
        self._stop_if_interrupted()
        self.judged += 1
        runner = uncached(self.runner) if fresh else self.runner
        # what is drawn is within the scopes; what shrinking tries may not be
        return examine(cell.method, cell.law, problem, runner, self.oracle, self.peers, fits=not fresh)

    def explained(self, cell: Cell, problem: Problem, outcome: Outcome) -> str:
        """The id of the known finding that explains a failure, or ''."""
        holds = holds_under(cell.method, cell.law, problem, self.runner, self.oracle, self.peers)
        return self.ledger.explains(cell.method, cell.law.name, problem, holds, outcome.signature)

    def _progress(self, number: int, index: int) -> dict:
        elapsed = time.monotonic() - self.started
        share = elapsed / self.plan.budget if self.plan.budget else (index + 1) / len(self.jobs)
        return {"progress": min(share, 1.0), "judged": self.judged, "round": number}
