"""One search on several processes: the methods are dealt out, so that no two workers share a cell."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from multiprocessing.connection import Connection, wait
from typing import Any

from convlaws.errors import HarnessError
from convlaws.known import ledger_of
from convlaws.records.finding import CellId, Finding, by_cell
from convlaws.sandbox.interrupt import deaf, deferred_sigint, descendants, hear, kill
from convlaws.sandbox.runner import Runner
from convlaws.sandbox.settings import Setting, running
from convlaws.search.observations import recording
from convlaws.search.plan import Plan
from convlaws.search.profile import profiling
from convlaws.search.search import Search
from convlaws.targets.registry import Method

GLANCE = 0.2  # seconds between two looks at whether Ctrl-C was pressed
LAST = 1.2  # seconds from Ctrl-C until a worker that has not ended is killed; what it had told counts


def round_robin(methods: list[Method], count: int) -> list[list[Method]]:
    """`methods` in `count` hands, in turn."""
    return [hand for n in range(count) if (hand := methods[n::count])]


def search(plan: Plan, setting: Setting, workers: int, notify: Callable[[dict], None], runner: Runner) -> list[Finding]:
    """The findings of `plan`, by as many processes as there are workers and methods; `runner` is that of this one."""
    hands = round_robin(plan.methods, workers)
    if len(hands) == 1:
        with recording(setting.observations, 0), profiling(setting.profile, notify):
            return Search(plan, runner, ledger_of(setting), notify).run()
    found = _gather([replace(plan, methods=hand) for hand in hands], setting, notify)
    order = {method.name: place for place, method in enumerate(plan.methods)}
    return sorted(found, key=lambda finding: order[finding.method])


@dataclass
class _Worker:
    """A process, both ends of the pipe that it tells through, and the latest that it told of each cell.

    One pipe each: what a dying process leaves half-written in its own harms nobody else.
    """

    number: int
    process: Any
    ours: Connection
    theirs: Connection
    names: str
    cells: dict[CellId, list[Finding]] = field(default_factory=dict)

    def start(self) -> None:
        """Start it, and let go of its end: else the end of the pipe would not be seen here."""
        self.process.start()
        self.theirs.close()

    def next(self) -> tuple[str, Any]:
        """What it says next; 'gone' once it is dead, be it in the middle of a message."""
        try:
            if self.ours.poll() or self.process.is_alive():
                return self.ours.recv()
        except (EOFError, OSError):
            self.process.join()
        code = self.process.exitcode
        said = f"worker {self.number} died with exit code {code}; the findings of {self.names} end there"
        return "gone", said


def _workers(plans: list[Plan], setting: Setting) -> list[_Worker]:
    context = mp.get_context("spawn")
    workers = []
    for number, plan in enumerate(plans):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(number, _picklable(plan), setting, theirs), daemon=True)
        workers.append(_Worker(number, process, ours, theirs, ", ".join(method.name for method in plan.methods)))
    return workers


def _gather(plans: list[Plan], setting: Setting, notify: Callable[[dict], None]) -> list[Finding]:
    left = _workers(plans, setting)
    findings: list[Finding] = []
    with deferred_sigint() as interrupt:
        with deaf():
            for worker in left:
                worker.start()
        while left and not interrupt.waited(LAST):
            if interrupt.requested:  # Ctrl-C reaches them too; a signal sent to this process alone does not
                _pass_on([worker.process for worker in left])
            ready = wait([end for worker in left for end in (worker.ours, worker.process.sentinel)], timeout=GLANCE)
            for worker in [w for w in left if w.ours in ready or w.process.sentinel in ready]:
                kind, value = worker.next()
                if kind == "event":
                    worker.cells |= by_cell(value.get("findings", ()))
                    notify({**value, "worker": worker.number})
                    continue
                if kind == "error":
                    raise value
                if kind == "gone":
                    notify({"lost": value})
                findings += value if kind == "findings" else chain.from_iterable(worker.cells.values())
                left.remove(worker)
        return findings + _ended(left, notify)


def _ended(workers: list[_Worker], notify: Callable[[dict], None]) -> list[Finding]:
    """End those that Ctrl-C did not end; returns what they had told."""
    for worker in workers:
        notify({"interrupted": True})
        kill([worker.process.pid, *descendants(worker.process.pid)])
    return list(chain.from_iterable(chain.from_iterable(worker.cells.values()) for worker in workers))


def _pass_on(processes: list) -> None:
    for process in processes:
        if process.is_alive():
            os.kill(process.pid, signal.SIGINT)


def _picklable(plan: Plan) -> dict[str, Any]:
    """The plan by names: rows hold functions, which do not cross into a fresh process."""
    fields = {"scope": plan.scope, "seed": plan.seed, "budget": plan.budget, "examples": plan.examples}
    return {**fields, "methods": [m.to_dict() for m in plan.methods], "laws": [law.name for law in plan.laws]}


def _work(number: int, named: dict[str, Any], setting: Setting, pipe: Connection) -> None:
    from convlaws.laws import registry as laws
    from convlaws.targets.resolve import from_dict

    with deferred_sigint(ignore_second=True):
        hear()
        try:
            chosen = {"methods": [from_dict(m) for m in named["methods"]], "laws": laws.find(named["laws"])}
            tell = partial(_tell, pipe)
            with running(setting) as runner, recording(setting.observations, number), profiling(setting.profile, tell):
                search = Search(Plan(**{**named, **chosen}), runner, ledger_of(setting), tell, ignore_second=True)
                found = search.run()
            pipe.send(("findings", found))  # once nothing of it is left: the search may be over with that
        except HarnessError as error:
            pipe.send(("error", error))


def _tell(pipe: Connection, event: dict) -> None:
    pipe.send(("event", event))
