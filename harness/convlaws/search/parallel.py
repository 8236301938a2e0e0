"""One search on several processes: the methods are dealt out, so that no two workers share a cell."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import chain
from multiprocessing.connection import Connection
from typing import Any

from convlaws.errors import HarnessError
from convlaws.known import ledger_of
from convlaws.records.finding import CellId, Finding, by_cell
from convlaws.sandbox.interrupt import deferred_sigint, hear
from convlaws.sandbox.runner import Runner
from convlaws.sandbox.settings import Setting, running
from convlaws.sandbox.workers import PipeWorker, ready, spawned
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


def _gather(plans: list[Plan], setting: Setting, notify: Callable[[dict], None]) -> list[Finding]:
    """The findings of the plans, a worker each: those that it sends at its end, or the latest of each cell if it never does."""
    findings: list[Finding] = []
    latest: list[dict[CellId, list[Finding]]] = [{} for _ in plans]
    rows = [(number, _picklable(plan), setting) for number, plan in enumerate(plans)]
    with deferred_sigint() as interrupt, spawned(_work, rows) as workers:
        left = list(workers)
        while left and not interrupt.waited(LAST):
            if interrupt.requested:  # Ctrl-C reaches them too; a signal sent to this process alone does not
                _pass_on(left)
            for worker in ready(left, GLANCE):
                kind, value = _said(worker, plans[worker.number])
                if kind == "event":
                    latest[worker.number] |= by_cell(value.get("findings", ()))
                    notify({**value, "worker": worker.number})
                    continue
                if kind == "error":
                    raise value
                if kind == "gone":
                    notify({"lost": value})
                findings += value if kind == "findings" else chain.from_iterable(latest[worker.number].values())
                left.remove(worker)
        for worker in left:  # Ctrl-C did not end them: what they had told counts
            notify({"interrupted": True})
            findings += chain.from_iterable(latest[worker.number].values())
    return findings


def _said(worker: PipeWorker, plan: Plan) -> tuple[str, Any]:
    """What a worker says next; 'gone' once it is dead."""
    try:
        return worker.receive()
    except (EOFError, OSError):
        names = ", ".join(method.name for method in plan.methods)
        code = worker.exit_code()
        return "gone", f"worker {worker.number} died with exit code {code}; the findings of {names} end there"


def _pass_on(workers: list[PipeWorker]) -> None:
    for worker in workers:
        if worker.process.is_alive():
            os.kill(worker.process.pid, signal.SIGINT)


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
