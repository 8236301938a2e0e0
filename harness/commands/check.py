"""`convlaws check`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from convlaws import console, known
from convlaws.catalogue import read_problems
from convlaws.commands.account import Account, Counted
from convlaws.commands.outputs import Appended, Outputs, Render
from convlaws.commands.progress import progress
from convlaws.errors import HarnessError, UsageError
from convlaws.junit import junit
from convlaws.laws import registry as laws
from convlaws.methods.registry import rows
from convlaws.problem import Problem
from convlaws.replay import given, not_shown
from convlaws.results import LEAST, Finding, Verdict
from convlaws.scope import Scope
from convlaws.search import Plan
from convlaws.targets import Calling, resolve
from convlaws.workers import Setting, running, search

KEPT, FOUND, NOTHING, INTERRUPTED = 0, 1, 5, 130
DEFAULT_BUDGET = 60.0


def run(targets: tuple[str, ...], **o) -> int:
    """Search and print; returns the exit code."""
    plan = _plan(targets, o)
    workers = o["workers"] or min(os.cpu_count() or 1, 8)
    problems = _problems(o)
    judged = Counted()
    account = Account(plan, workers, problems or [], judged)
    summary = Appended(o["summary"]) if o["summary"] else None
    outputs = Outputs(_wanted(account, o))
    try:
        findings, faded = _search(plan, _setting(o), workers, problems, judged, outputs)
    except HarnessError as error:
        raise UsageError(f"{error}{outputs.abandon()}") from error
    except KeyboardInterrupt:
        click.echo(f"convlaws: stopped at once{outputs.abandon()}", err=True)
        raise
    account.close(faded)
    try:
        _print(findings, faded, judged.total, account.seconds)
    finally:  # whoever reads what is printed may have gone away
        outputs.finish(findings)
    if summary:
        summary.append(findings)
    if judged.lost:
        raise UsageError("; ".join(judged.lost))
    return INTERRUPTED if judged.interrupted else exit_code(findings)


def _problems(o: dict) -> list[Problem] | None:
    """The problems that are given; None if they are to be drawn."""
    if not o["problems"]:
        return None
    if o["observations"]:
        raise UsageError("--observations is about drawing, and with --problems nothing is drawn")
    return [problem for _, problem in read_problems(o["problems"])]


def _setting(o: dict) -> Setting:
    limits = {"time_limit": o["time_limit"], "memory_limit": o["memory_limit"] << 20}
    return Setting(sandbox=not o["no_sandbox"], observations=o["observations"], **limits)


def _wanted(account: Account, o: dict) -> dict[Path, Render]:
    """Which file is made how."""
    renders = {"json_path": account.lines, "junit_path": lambda findings, done: junit(findings)}
    chosen = {name: o[name] for name in renders if o[name]}
    if len({path.resolve() for path in chosen.values()}) < len(chosen):
        raise UsageError(f"--json and --junit name the same file, {o['json_path']}")
    return {path: renders[name] for name, path in chosen.items()}


def _search(
    plan: Plan, setting: Setting, workers: int, problems: list[Problem] | None, judged: Counted, outputs: Outputs
) -> tuple[list[Finding], list[str]]:
    """The findings, and the known findings that no longer show."""
    ledger = known.load()
    with progress(judged) as show:

        def notify(event: dict) -> None:
            show(event)
            outputs.see(event)

        if problems is not None:
            with running(setting) as runner:
                findings = given(plan, problems, runner, ledger, notify)
        else:
            findings = search(plan, setting, workers, notify)
    return findings, [] if judged.interrupted else _faded(plan, setting, ledger)


def _faded(plan: Plan, setting: Setting, ledger: known.Ledger) -> list[str]:
    try:
        with running(setting) as runner:
            return [entry.id for entry in not_shown(plan, runner, ledger)]
    except (Exception, KeyboardInterrupt) as error:  # what was found must not be lost for the sake of a footnote
        click.echo(f"convlaws: the known findings could not be repeated: {type(error).__name__}: {error}", err=True)
        return []


def _plan(targets: tuple[str, ...], o: dict) -> Plan:
    calling = Calling(signature=o["signature"], arrays=o["arrays"], contract=o["contract"])
    methods = resolve(targets, calling)
    chosen = laws.find(o["laws"]) if o["laws"] else laws.laws()
    known.load().check_names([m.name for m in rows()], [law.name for law in laws.laws()])
    narrowed: dict[str, Any] = {"ops": o["op"], "ndim": o["ndim"], "dtypes": o["dtype"], "layouts": o["layout"]}
    if o["budget"] and o["examples"]:
        raise UsageError("--budget and --examples exclude each other: one is a time, the other a number")
    budget = None if o["examples"] else (o["budget"] or DEFAULT_BUDGET)
    chosen_fields: dict[str, Any] = {name: tuple(values) for name, values in narrowed.items() if values}
    scope = Scope(**chosen_fields)
    return Plan(methods, chosen, scope, o["seed"], budget, o["examples"] or LEAST)


def _print(findings: list[Finding], faded: list[str], judged: int, seconds: float) -> None:
    click.echo(console.table(findings))
    click.echo()
    click.echo(console.by_method(findings))
    for text in (console.failures(findings), console.known_summary(findings, faded)):
        if text:
            click.echo(f"\n{text}")
    click.echo(f"\n{console.verdict_line(findings, judged, seconds)}")


def exit_code(findings: list[Finding]) -> int:
    """0 every law kept, 1 a failure that is not known, 5 nothing was verified."""
    if any(f.verdict.bad and not f.known for f in findings):
        return FOUND
    return KEPT if any(f.verdict is Verdict.KEPT or f.verdict.bad for f in findings) else NOTHING
