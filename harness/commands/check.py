"""`convlaws check`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from convlaws import console, environment, known
from convlaws.catalogue import read_problems
from convlaws.commands import options
from convlaws.commands.progress import progress
from convlaws.errors import UsageError
from convlaws.junit import junit
from convlaws.laws import registry as laws
from convlaws.methods.registry import rows
from convlaws.plan import Plan
from convlaws.replay import given, not_shown
from convlaws.results import LEAST, Finding, Verdict, summary_line
from convlaws.scope import Scope
from convlaws.targets import resolve
from convlaws.workers import Setting, running, search

KEPT, FOUND, NOTHING, INTERRUPTED = 0, 1, 5, 130
DEFAULT_BUDGET = 60.0


def run(targets: tuple[str, ...], **o) -> int:
    """Search and print; returns the exit code."""
    plan = _plan(targets, o)
    outputs = {path: _writable(path) for path in (o["json_path"], o["junit_path"]) if path}
    setting = options.setting(o)
    workers = o["workers"] or min(os.cpu_count() or 1, 8)
    started = time.monotonic()
    judged = Counted()
    ledger = known.load()
    with progress(judged) as notify:
        if o["problems"]:
            problems = [problem for _, problem in read_problems(o["problems"])]
            with running(setting) as runner:
                findings = given(plan, problems, runner, ledger, notify)
        else:
            findings = search(plan, setting, workers, notify)
    faded = [] if judged.interrupted else _faded(plan, setting, ledger)
    seconds = time.monotonic() - started
    _print(findings, faded, judged.total, seconds)
    facts = {"seconds": round(seconds, 2), "judged": judged.total, "seed": plan.seed, "known_not_shown": faded}
    _write(outputs, o, findings, {**facts, "interrupted": judged.interrupted, "lost": judged.lost})
    if judged.lost:
        raise UsageError("; ".join(judged.lost))
    return INTERRUPTED if judged.interrupted else exit_code(findings)


def _faded(plan: Plan, setting: Setting, ledger: known.Ledger) -> list[str]:
    try:
        with running(setting) as runner:
            return [entry.id for entry in not_shown(plan, runner, ledger)]
    except (Exception, KeyboardInterrupt) as error:  # what was found must not be lost for the sake of a footnote
        click.echo(f"convlaws: the known findings could not be repeated: {type(error).__name__}: {error}", err=True)
        return []


class Counted:
    """Sums the cases that all workers judged."""

    def __init__(self):
        self.by_worker: dict[int, int] = {}
        self.interrupted = False
        self.lost: list[str] = []  # whose findings ended with their worker, in words

    def see(self, event: dict) -> None:
        """Take note of a progress event."""
        self.interrupted |= event.get("interrupted", False)
        self.lost += [event["lost"]] if "lost" in event else []
        if "judged" in event:
            self.by_worker[event.get("worker", 0)] = event["judged"]

    @property
    def total(self) -> int:
        """Cases judged so far."""
        return sum(self.by_worker.values())


def _plan(targets: tuple[str, ...], o: dict) -> Plan:
    methods = resolve(targets, options.calling(o))
    chosen = laws.find(o["laws"]) if o["laws"] else laws.laws()
    known.load().check_names([m.name for m in rows(absent=True)], [law.name for law in laws.laws()])
    narrowed: dict[str, Any] = {"ops": o["op"], "ndim": o["ndim"], "dtypes": o["dtype"], "layouts": o["layout"]}
    if o["budget"] and o["examples"]:
        raise UsageError("--budget and --examples exclude each other: one is a time, the other a number")
    budget = None if o["examples"] else (o["budget"] or DEFAULT_BUDGET)
    chosen_fields: dict[str, Any] = {name: tuple(values) for name, values in narrowed.items() if values}
    scope = Scope(**chosen_fields)
    return Plan(methods, chosen, scope, o["seed"], budget, o["examples"] or LEAST)


def _writable(path: Path):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _print(findings: list[Finding], faded: list[str], judged: int, seconds: float) -> None:
    click.echo(console.table(findings))
    click.echo()
    click.echo(console.by_method(findings))
    for text in (console.failures(findings), console.known_summary(findings, faded)):
        if text:
            click.echo(f"\n{text}")
    click.echo(f"\n{console.verdict_line(findings, judged, seconds)}")


def _write(outputs: dict, o: dict, findings: list[Finding], facts: dict) -> None:
    try:
        if o["json_path"]:
            with outputs[o["json_path"]] as file:
                file.writelines(f"{f.to_line()}\n" for f in findings)
                told = {"command": sys.argv[1:], "environment": environment.facts(), **facts, **counts(findings)}
                file.write(f"{summary_line(**told)}\n")
        if o["junit_path"]:
            with outputs[o["junit_path"]] as file:
                file.write(junit(findings))
    except OSError as error:
        raise UsageError(f"the findings above could not be written: {error}") from None


def counts(findings: list[Finding]) -> dict:
    """How many findings of each verdict, and how many of the failures are known."""
    by = {str(v): sum(f.verdict is v for f in findings) for v in Verdict}
    return {"verdicts": by, "known": sum(bool(f.known) for f in findings if f.verdict.bad)}


def exit_code(findings: list[Finding]) -> int:
    """0 every law kept, 1 a failure that is not known, 5 nothing was verified."""
    if any(f.verdict.bad and not f.known for f in findings):
        return FOUND
    return KEPT if any(f.verdict is Verdict.KEPT or f.verdict.bad for f in findings) else NOTHING
