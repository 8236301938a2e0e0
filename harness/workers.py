"""One search on several processes: the methods are dealt out, so that no two workers share a cell."""

from __future__ import annotations

import multiprocessing as mp
import os
import queue
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from convlaws import known
from convlaws.errors import HarnessError
from convlaws.interrupt import deferred
from convlaws.methods.registry import Method
from convlaws.plan import Plan
from convlaws.results import Finding
from convlaws.sandbox.client import Bare, Sandbox
from convlaws.search import Search


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How methods are run: in a sandbox or not, and with which limits."""

    sandbox: bool = True
    time_limit: float = 20.0
    memory_limit: int = 4 << 30

    def runner(self) -> Sandbox | Bare:
        """A runner with these limits."""
        if not self.sandbox:
            return Bare()
        return Sandbox(time_limit=self.time_limit, memory_limit=self.memory_limit)


@contextmanager
def running(setting: Setting) -> Iterator[Sandbox | Bare]:
    """A runner that is closed afterwards."""
    runner = setting.runner()
    try:
        yield runner
    finally:
        runner.close()


def deal(methods: list[Method], count: int) -> list[list[Method]]:
    """`methods` in `count` hands, in turn."""
    return [hand for n in range(count) if (hand := methods[n::count])]


def search(plan: Plan, setting: Setting, workers: int, notify: Callable[[dict], None]) -> list[Finding]:
    """The findings of `plan`, by as many processes as there are workers and methods."""
    hands = deal(plan.methods, workers)
    if len(hands) == 1:
        with running(setting) as runner:
            return Search(plan, runner, known.load(), notify).run()
    found = _gather([replace(plan, methods=hand) for hand in hands], setting, notify)
    order = {method.name: place for place, method in enumerate(plan.methods)}
    return sorted(found, key=lambda finding: order[finding.method])


def _gather(plans: list[Plan], setting: Setting, notify: Callable[[dict], None]) -> list[Finding]:
    context = mp.get_context("spawn")
    events = context.Queue()
    processes = [
        context.Process(target=_work, args=(number, _portable(plan), setting, events), daemon=True)
        for number, plan in enumerate(plans)
    ]
    findings: list[Finding] = []
    left = set(range(len(processes)))
    with deferred() as interrupt:
        _start(processes)
        while left:
            if interrupt.pressed:  # Ctrl-C reaches them too; a signal sent to this process alone does not
                _pass_on([processes[number] for number in left])
            number, kind, value = _next(events, left, processes)
            if kind == "gone":
                left -= _bury(value, plans, processes, notify)
            elif kind == "event":
                notify({**value, "worker": number})
            elif kind == "error":
                raise value
            elif kind == "findings":
                findings += value
                left.discard(number)
    return findings


def _next(events, left: set[int], processes: list) -> tuple:
    """The next (worker, kind, value), or those that are gone and have nothing more to say."""
    gone = {number for number in left if not processes[number].is_alive()}
    try:
        return events.get(timeout=1.0)
    except queue.Empty:
        return None, "gone", gone


def _start(processes: list) -> None:
    """Start them deaf to Ctrl-C until they are at work: while they import it would end them in a traceback."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for process in processes:
            process.start()
    finally:
        signal.signal(signal.SIGINT, before)


def _pass_on(processes: list) -> None:
    for process in processes:
        if process.is_alive():
            os.kill(process.pid, signal.SIGINT)


def _bury(gone: set[int], plans: list[Plan], processes: list, notify: Callable[[dict], None]) -> set[int]:
    """Tell whose findings died with their worker; the others go on."""
    for number in gone:
        names = ", ".join(method.name for method in plans[number].methods)
        code = processes[number].exitcode
        notify({"lost": f"worker {number} died with exit code {code}; the findings of {names} are lost"})
    return gone


def _portable(plan: Plan) -> dict[str, Any]:
    """The plan by names: rows hold functions, which do not cross into a fresh process."""
    fields = {"scope": plan.scope, "seed": plan.seed, "budget": plan.budget, "examples": plan.examples}
    return {**fields, "methods": [m.passport() for m in plan.methods], "laws": [law.name for law in plan.laws]}


def _work(number: int, named: dict[str, Any], setting: Setting, events) -> None:
    from convlaws.laws import registry as laws
    from convlaws.targets import admit

    with deferred(patient=True) as early:
        try:
            chosen = {"methods": [admit(m) for m in named["methods"]], "laws": laws.find(named["laws"])}
            with running(setting) as runner:
                search = Search(Plan(**{**named, **chosen}), runner, known.load(), partial(_tell, events, number), patient=True)
                events.put((number, "findings", [] if early.pressed else search.run()))
        except HarnessError as error:
            events.put((number, "error", error))


def _tell(events, number: int, event: dict) -> None:
    events.put((number, "event", event))
