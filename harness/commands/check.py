"""`convlaws check`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from convlaws import console, known
from convlaws.catalogue import read_problems
from convlaws.commands import options
from convlaws.commands.account import Account, Counted
from convlaws.commands.outputs import Appended, Outputs, Render
from convlaws.commands.progress import progress
from convlaws.commands.report import page
from convlaws.commands.warning import warn
from convlaws.errors import HarnessError, UsageError
from convlaws.interrupt import INTERRUPTED, deferred
from convlaws.junit import junit
from convlaws.laws import registry as laws
from convlaws.methods.registry import KINDS, rows
from convlaws.plan import Plan
from convlaws.problem import Problem
from convlaws.replay import given
from convlaws.reports.merging import Run
from convlaws.results import LEAST, Finding, Verdict
from convlaws.scope import WHOLE
from convlaws.shares import shares
from convlaws.standing import Standing, gone
from convlaws.targets import resolve
from convlaws.workers import Setting, running, search

KEPT, FOUND, NOTHING = 0, 1, 5
DEFAULT_BUDGET = 60.0
SHOWN = 12  # failing lines printed of a search; of given lines, all are
# option -> the field of the scope that it narrows
NARROWING = {
    "op": "ops",
    "ndim": "ndim",
    "dtype": "dtypes",
    "layout": "layouts",
    "batch": "batch",
    "padding": "padding",
    "grouping": "grouping",
}


def run(targets: tuple[str, ...], **o) -> int:
    """Search and print; returns the exit code."""
    warn()
    plan = _plan(targets, o)
    workers = o["workers"] or min(os.cpu_count() or 1, 8)
    problems = _problems(o)
    judged = Counted()
    account = Account(plan, workers, problems or [], judged)
    summary = Appended(o["summary"]) if o["summary"] else None
    outputs = Outputs(_wanted(account, o))
    with deferred() as interrupt:  # from the first case until all is written
        with _kept(outputs):
            findings, absent = _search(plan, _setting(o), workers, problems, judged, outputs)
        judged.interrupted |= interrupt.pressed
        account.close(absent)
        if judged.interrupted and not judged.total:
            click.echo(f"convlaws: interrupted, before anything was judged{outputs.abandon()}", err=True)
            return INTERRUPTED
        _tell(findings, absent, account, outputs, summary, most=SHOWN if problems is None else None)
    if judged.lost:
        raise UsageError("; ".join(judged.lost))
    return INTERRUPTED if judged.interrupted or interrupt.pressed else exit_code(findings)


def _tell(
    findings: list[Finding],
    absent: list[Standing],
    account: Account,
    outputs: Outputs,
    summary: Appended | None,
    most: int | None,
) -> None:
    """Print the findings, and write the files."""
    try:
        _print(findings, absent, account, most)
    finally:  # whoever reads what is printed may have gone away
        outputs.finish(findings)
    if summary:
        summary.append(findings)
    if account.judged.interrupted:
        click.echo("convlaws: interrupted; the above is what was found until then", err=True)


@contextmanager
def _kept(outputs: Outputs) -> Iterator[None]:
    """Whatever ends the search early: the sentence says where what was found so far is."""
    try:
        yield
    except HarnessError as error:
        raise UsageError(f"{error}{outputs.abandon()}") from error
    except KeyboardInterrupt:
        click.echo(f"convlaws: stopped at once{outputs.abandon()}", err=True)
        raise


def _problems(o: dict) -> list[Problem] | None:
    """The problems that are given; None if they are to be drawn."""
    if not o["problems"]:
        return None
    if o["observations"]:
        raise UsageError("--observations is about drawing, and with --problems nothing is drawn")
    return [problem for _, problem in read_problems(o["problems"])]


def _setting(o: dict) -> Setting:
    return replace(options.setting(o), observations=o["observations"])


def _wanted(account: Account, o: dict) -> dict[Path, Render]:
    """Which file is made how."""
    renders: dict[str, Render] = {
        "json_path": account.lines,
        "junit_path": lambda findings, done: junit(findings),
        "report_path": lambda findings, done: page(Run(findings, [account.facts(findings, done)])) if done else "",
    }
    chosen = {name: o[name] for name in renders if o[name]}
    if len({path.resolve() for path in chosen.values()}) < len(chosen):
        raise UsageError(f"two of --json, --junit and --report name the same file, {next(iter(chosen.values()))}")
    return {path: renders[name] for name, path in chosen.items()}


def _search(
    plan: Plan, setting: Setting, workers: int, problems: list[Problem] | None, judged: Counted, outputs: Outputs
) -> tuple[list[Finding], list[Standing]]:
    """The findings, and the known findings that do not show here."""
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
    return findings, [] if judged.interrupted else _gone(plan, setting, ledger)


def _gone(plan: Plan, setting: Setting, ledger: known.Ledger) -> list[Standing]:
    """The known findings about the plan's methods that do not show here."""
    about = (k for k in ledger.entries if any(k.names(m.name) or k.names(m.known_as) for m in plan.methods))
    asked = [k for k in about if setting.sandbox or not k.avoid]  # what is avoided may end this very process
    try:
        with running(setting) as runner:
            return gone(asked, runner)
    except (Exception, KeyboardInterrupt) as error:  # what was found must not be lost for the sake of a footnote
        click.echo(f"convlaws: the known findings could not be repeated: {type(error).__name__}: {error}", err=True)
        return []


def _plan(targets: tuple[str, ...], o: dict) -> Plan:
    methods = resolve(targets, options.calling(o))
    chosen = laws.find(o["laws"]) if o["laws"] else laws.laws()
    known.load().check_names([m.name for m in rows(*KINDS, absent=True)], [law.name for law in laws.laws()])
    if o["budget"] and o["examples"]:
        raise UsageError("--budget and --examples exclude each other: one is a time, the other a number")
    budget = None if o["examples"] else (o["budget"] or DEFAULT_BUDGET)
    narrowed: dict[str, Any] = {field: tuple(o[option]) for option, field in NARROWING.items() if o[option]}
    scope = replace(WHOLE, **narrowed)
    return Plan(methods, chosen, scope, o["seed"], budget, o["examples"] or LEAST)


def _print(findings: list[Finding], absent: list[Standing], account: Account, most: int | None) -> None:
    click.echo(console.table(findings))
    click.echo()
    click.echo(console.by_method(findings))
    told = [f"known finding {s.entry.id}: {s}" for s in absent]
    for text in (console.unasked(findings), console.failures(findings, most=most), console.known_summary(shares(findings), told)):
        if text:
            click.echo(f"\n{text}")
    click.echo(f"\n{console.verdict_line(findings, account.judged.total, account.seconds)}")


def exit_code(findings: list[Finding]) -> int:
    """0 every law kept, 1 a failure that is not known, 5 nothing was verified."""
    if any(f.verdict.bad and not f.known for f in findings):
        return FOUND
    return KEPT if any(f.verdict is Verdict.KEPT or f.verdict.bad for f in findings) else NOTHING
