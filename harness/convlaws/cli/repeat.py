"""`convlaws repeat`."""

from __future__ import annotations

from pathlib import Path

import click

from convlaws.cli import settings
from convlaws.cli.options import calling
from convlaws.cli.settings import FOUND, KEPT, NOTHING, warn
from convlaws.errors import UsageError
from convlaws.judge.case import Oracle, Outcome
from convlaws.judge.replay import finding_of, repeated, why_not
from convlaws.laws import registry as laws
from convlaws.laws.registry import Law
from convlaws.problem.problem import Problem
from convlaws.records.finding import Verdict
from convlaws.reports import console
from convlaws.reports.reproducer import script
from convlaws.sandbox.settings import running
from convlaws.targets.registry import Method, target_of
from convlaws.targets.resolve import resolve


@click.command()
@click.argument("lines", nargs=-1, required=True, metavar='"LINE"... TARGET')
@click.option("--law", "laws", multiple=True, metavar="NAME", help="Only this law; default: all that are about the problem.")
@click.option(
    "--script", type=click.Path(path_type=Path), metavar="FILE.py", help="Also write a script that shows it without convlaws."
)
@calling
def command(lines, **options) -> None:
    """Run the LAWs on the problem LINE against TARGET; several lines are run in order in one process, the last is judged."""
    raise SystemExit(run(lines, **options))


def run(lines: tuple[str, ...], **o) -> int:
    """Repeat and print; return the exit code."""
    if len(lines) < 2:
        raise UsageError("repeat takes at least one problem line, in quotes, and then a TARGET")
    warn()
    *texts, target = lines
    problems = [Problem.parse(text) for text in texts]
    methods = resolve([target], settings.calling(o))
    chosen = laws.find(o["laws"]) if o["laws"] else laws.laws()
    codes = []
    with running(settings.setting(o)) as runner:
        for method in methods:
            outcomes = repeated(method, chosen, problems, runner)
            codes.append(_show(method, outcomes, problems, explicit=bool(o["laws"]), chosen=chosen))
            if o["script"] and outcomes:
                _script(o["script"], method, outcomes, problems[-1])
    return max(codes)


def _show(method: Method, found: list[tuple[Law, Outcome]], problems: list[Problem], *, explicit: bool, chosen: list[Law]) -> int:
    *before, last = problems
    for law in chosen if explicit else []:
        if reason := why_not(method, law, last):
            click.echo(f"{method.name} refuses {law.name}: {reason}")
    bad = 0
    for law, outcome in found:
        if outcome.verdict.bad:
            bad += 1
            click.echo(console.failure(finding_of(method, law, last, outcome, before)) + "\n")
        elif explicit or outcome.verdict is Verdict.KEPT:
            said = outcome.message or f"error over slack {outcome.ratio:.3g}"
            click.echo(f"{method.name} {outcome.verdict} {law.name}: {said}")
    if bad:
        return FOUND
    return KEPT if any(o.verdict is Verdict.KEPT for _, o in found) else NOTHING


def _script(path: Path, method: Method, found: list[tuple[Law, Outcome]], problem: Problem) -> None:
    law, outcome = next(((w, o) for w, o in found if o.verdict.bad), found[0])
    contract = method.contract(problem.spec, problem.op, problem.dtype)
    answer, allowed = Oracle()(problem.spec, problem.op, problem.operands, contract)
    low, high = allowed.low, allowed.high
    text = script(problem, law.name, target_of(method), outcome.message, low, high, nan=answer.nan, free=allowed.free)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    click.echo(f"wrote {path}; run it with: python {path}")
    if outcome.verdict.bad and law.name != "equals-the-definition":
        click.echo(f"  it compares one call with the definition, which need not show how {law.name} is broken")
