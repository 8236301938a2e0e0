"""`convlaws check`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from convlaws import known
from convlaws.cli import settings
from convlaws.cli.defaults import Configured
from convlaws.cli.options import calling, isa, known_as, narrowing
from convlaws.cli.outputs import Appended, Outputs, Render
from convlaws.cli.progress import progress
from convlaws.cli.report import page
from convlaws.cli.run_summary import Counted, RunSummary
from convlaws.cli.settings import FOUND, KEPT, NOTHING, warn
from convlaws.errors import HarnessError, UsageError
from convlaws.judge.known_status import KnownStatus, no_longer_failing
from convlaws.laws import registry as laws
from convlaws.problem.files import read_problems
from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE
from convlaws.records import environment
from convlaws.records.at_level import AtLevel
from convlaws.records.finding import LEAST, Finding, counted, name_parts
from convlaws.records.merge import Run
from convlaws.records.tallies import shares
from convlaws.reports import console
from convlaws.reports.junit import junit
from convlaws.sandbox.interrupt import INTERRUPTED, deferred_sigint
from convlaws.sandbox.runner import Runner
from convlaws.sandbox.settings import Setting, running
from convlaws.search.given import given
from convlaws.search.level_bits import levels
from convlaws.search.parallel import search
from convlaws.search.plan import Plan
from convlaws.targets.isa import highest
from convlaws.targets.registry import ENGINES, KINDS, Method, rows
from convlaws.targets.resolve import resolve

DEFAULT_BUDGET = 60.0
AGAIN = 0.15  # fraction of the budget for running known findings again
SHOWN = 12  # maximum of failing lines printed for a search; with given lines, all are printed
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


@click.command(cls=Configured)
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@narrowing
@click.option("--budget", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Draw until this time has passed (default 60).")
@click.option(
    "--examples", type=click.IntRange(min=1), metavar="N", help="Judge N examples a (method, law, op), however long it takes."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Every draw derives from it.")
@click.option(
    "--problems",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Judge the problems of this file, one line each, instead of drawing.",
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE", help="Write the records as JSON lines.")
@click.option("--junit", "junit_path", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML.")
@click.option(
    "--summary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Append a summary in Markdown; for $GITHUB_STEP_SUMMARY.",
)
@click.option(
    "--observations",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Record each draw there, as Hypothesis observes it; for Tyche.",
)
@click.option("--profile", is_flag=True, help="Print where the time went: by step, by method, by law.")
@click.option("--report", "report_path", type=click.Path(path_type=Path), metavar="FILE.html", help="Write the page of findings.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Processes that search (default: the CPUs, at most 8).")
@click.option(
    "--fail-on",
    type=click.Choice(("new", "own", "never")),
    default="new",
    show_default=True,
    help="Exit with 1 for failures that are not known: of all targets, of those that are no engine, or never.",
)
@click.option(
    "--known",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Known findings of yours ('convlaws known add'); may be repeated. 'none': those of the package explain nothing.",
)
@isa
@known_as
@calling
def command(targets, **options) -> None:
    """Put the laws to TARGETs: registered names, globs ('torch-*'), or functions (package.module:name, file.py:name).

    Any option may stand in [tool.convlaws] of pyproject.toml, as `known = ["known.json"]`; the command line goes before it.

    Exit codes: 0 all that was asked keeps the laws, 1 a failure that is not known (see --fail-on) or a known finding of
    your own files that is repaired, 2 usage, 5 nothing was verified, 130 interrupted.
    """
    raise SystemExit(run(targets, **options))


def run(targets: tuple[str, ...], **o) -> int:
    """Search and print; return the exit code."""
    warn()
    plan, setting = _plan(targets, o), _setting(o)
    workers = o["workers"] or min(os.cpu_count() or 1, 8)
    problems, judged = _problems(o), Counted()
    account = RunSummary(plan, workers, problems or [], judged)
    about = _about(plan, problems, setting)
    summary = Appended(o["summary"]) if o["summary"] else None
    outputs = Outputs(_wanted(account, o))
    with deferred_sigint() as interrupt:  # from the first case until all files are written
        with _kept(outputs), running(setting) as runner:
            findings = _search(_drawn(plan, about), setting, workers, problems, judged, outputs, runner)
            absent = [] if judged.interrupted else _gone(plan, about, runner, findings)
            account.levels = _levels(plan, runner, judged.interrupted)
        judged.interrupted |= interrupt.requested
        account.close(absent)
        if judged.interrupted and not judged.total:
            click.echo(f"convlaws: interrupted, before anything was judged{outputs.abandon()}", err=True)
            return INTERRUPTED
        show = partial(_print, findings, absent, account, plan, o, SHOWN if problems is None else None)
        _tell(findings, account, outputs, summary, show)
    if judged.lost:
        raise UsageError("; ".join(judged.lost))
    stopped = judged.interrupted or interrupt.requested
    return INTERRUPTED if stopped else exit_code(findings, plan.methods, o["fail_on"], absent)


def _tell(
    findings: list[Finding], account: RunSummary, outputs: Outputs, summary: Appended | None, show: Callable[[], None]
) -> None:
    """Print the findings, and write the files."""
    try:
        show()
    finally:  # printing may fail, as on a closed pipe
        outputs.finish(findings)
    if summary:
        summary.append(findings)
    if account.judged.interrupted:
        click.echo("convlaws: interrupted; the above is what was found until then", err=True)


@contextmanager
def _kept(outputs: Outputs) -> Iterator[None]:
    """Add where the results so far are to the message of whatever ends the search early."""
    try:
        yield
    except HarnessError as error:
        raise UsageError(f"{error}{outputs.abandon()}") from error
    except KeyboardInterrupt:
        click.echo(f"convlaws: stopped at once{outputs.abandon()}", err=True)
        raise


def _problems(o: dict) -> list[Problem] | None:
    """The given problems; None if they are to be drawn."""
    if not o["problems"]:
        return None
    if o["observations"]:
        raise UsageError("--observations is about drawing, and with --problems nothing is drawn")
    return [problem for _, problem in read_problems(o["problems"])]


def _setting(o: dict) -> Setting:
    return replace(settings.setting(o), observations=o["observations"], profile=o["profile"])


def _wanted(account: RunSummary, o: dict) -> dict[Path, Render]:
    """The output files asked for, each with the function that renders it."""
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
    plan: Plan,
    setting: Setting,
    workers: int,
    problems: list[Problem] | None,
    judged: Counted,
    outputs: Outputs,
    runner: Runner,
) -> list[Finding]:
    """The findings; `runner` is used in this process, worker processes have their own."""
    with progress(judged) as show:

        def notify(event: dict) -> None:
            show(event)
            outputs.see(event)

        if problems is not None:
            return given(plan, problems, runner, known.ledger_of(setting), notify)
        return search(plan, setting, workers, notify, runner)


def _drawn(plan: Plan, about: list[known.Known]) -> Plan:
    """The plan with the part of its budget that is left to the search if known findings are run again."""
    return replace(plan, budget=(1 - AGAIN) * plan.budget) if plan.budget and about else plan


def _levels(plan: Plan, runner: Runner, interrupted: bool) -> list[AtLevel]:
    """Compare rows at the requested ISA levels, bit by bit."""
    if interrupted or not any(m.level for m in plan.methods):
        return []
    with deferred_sigint() as interrupt:
        return levels(plan.methods, plan.scope, runner, plan.seed, stop=lambda: interrupt.requested)


def _gone(plan: Plan, about: list[known.Known], runner: Runner, findings: list[Finding]) -> list[KnownStatus]:
    """The known findings of `about` that do not fail here any more; those that explained a failure are not run again."""
    shown = {name for f in findings for name in f.explained}
    asked = [k for k in about if k.id not in shown]
    until = time.monotonic() + AGAIN * plan.budget if plan.budget else float("inf")
    try:
        absent, left = no_longer_failing(asked, runner, plan.methods, until)
    except (Exception, KeyboardInterrupt) as error:  # a failure here must not lose the findings
        click.echo(f"convlaws: the known findings could not be repeated: {type(error).__name__}: {error}", err=True)
        return []
    if left:
        click.echo(f"convlaws: no time to repeat {counted(len(left), 'known finding')}: 'convlaws known --check' does", err=True)
    return absent


def _about(plan: Plan, problems: list[Problem] | None, setting: Setting) -> list[known.Known]:
    """The known findings about what is asked; without a sandbox not those whose problems may crash this process."""
    entries = known.ledger_of(setting).entries
    return [k for k in entries if _asked(k, plan, problems) and (setting.sandbox or not k.avoid)]


def _asked(entry: known.Known, plan: Plan, problems: list[Problem] | None) -> bool:
    """True if the plan has a method and a law of the entry, and one of its lines is among the drawn or given problems."""
    named = any(entry.names(name, law.name) for m in plan.methods for name in (m.name, m.known_as) for law in plan.laws)
    if problems is not None:
        return named and not {*problems}.isdisjoint(entry.problems)
    return named and any(plan.scope.refuses(problem) is None for problem in entry.problems)


def _plan(targets: tuple[str, ...], o: dict) -> Plan:
    methods = resolve(targets, settings.calling(o))
    chosen = laws.find(o["laws"]) if o["laws"] else laws.laws()
    names = [*(m.name for m in rows(*KINDS, absent=True)), *(name_parts(m.name)[0] for m in methods)]
    known.ledger_of(settings.setting(o)).check_names(names, [law.name for law in laws.laws()])
    if o["budget"] and o["examples"]:
        raise UsageError("--budget and --examples exclude each other: one is a time, the other a number")
    budget = None if o["examples"] else (o["budget"] or DEFAULT_BUDGET)
    narrowed: dict[str, Any] = {field: tuple(o[option]) for option, field in NARROWING.items() if o[option]}
    scope = replace(WHOLE, **narrowed)
    return Plan(methods, chosen, scope, o["seed"], budget, o["examples"] or LEAST)


def _print(
    findings: list[Finding], absent: list[KnownStatus], account: RunSummary, plan: Plan, o: dict[str, Any], most: int | None
) -> None:
    click.echo(console.table(findings))
    click.echo()
    click.echo(console.by_method(findings))
    told = [f"known finding {s.entry.id}: {s}{_take_out(s)}" for s in absent]
    for text in (
        console.unasked(findings),
        console.failures(findings, most=most),
        console.known_summary(shares(findings), told),
        console.by_level(findings, account.levels),
        console.profile(findings, account.judged.profile),
        console.engines(findings, [m.name for m in plan.methods if m.kind in ENGINES], _where(o)),
    ):
        if text:
            click.echo(f"\n{text}")
    click.echo(f"\n{console.verdict_line(findings, account.judged.total, account.seconds)}")


def _where(o: dict[str, Any]) -> console.Where:
    """Settings for the console text: the processor, and the files with the run's failures."""
    return console.Where(
        processor=environment.processor() or "this processor",
        level=highest(environment.extensions()).name,
        findings=str(o["json_path"] or ""),
        page=str(o["report_path"] or ""),
    )


def _take_out(known_status: KnownStatus) -> str:
    return f"; take it out of {known_status.entry.file}" if repaired(known_status) else ""


def repaired(known_status: KnownStatus) -> bool:
    """True if an entry of the user's own files is about a failure that no longer occurs."""
    return bool(known_status.entry.file) and known_status.surprise


# the failures that make a run exit with 1, by the value of --fail-on
_COUNTS: dict[str, Callable[[str], bool]] = {
    "new": lambda kind: True,
    "own": lambda kind: kind not in ENGINES,
    "never": lambda kind: False,
}


def exit_code(
    findings: list[Finding], methods: Iterable[Method] = (), fail_on: str = "new", absent: Iterable[KnownStatus] = ()
) -> int:
    """1 if there is a failure that is not known (of the methods that `fail_on` counts) or a known one of the user's is repaired;
    0 if something was verified; 5 if nothing was."""
    kinds = {m.name: m.kind for m in methods}
    new = [f for f in findings if f.verdict.bad and not f.known and _COUNTS[fail_on](kinds.get(f.method, ""))]
    if new or (fail_on == "new" and any(map(repaired, absent))):
        return FOUND
    return KEPT if any(f.verified for f in findings) else NOTHING
