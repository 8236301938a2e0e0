"""`convlaws bisect`."""

from __future__ import annotations

import click

from convlaws.cli import settings
from convlaws.cli.options import calling
from convlaws.errors import UsageError
from convlaws.judge.case import Outcome
from convlaws.judge.replay import FRESH, repeated
from convlaws.laws import registry as laws
from convlaws.laws.registry import Law
from convlaws.problem.problem import Problem
from convlaws.records.finding import Verdict
from convlaws.sandbox.settings import running
from convlaws.targets.registry import Method, get
from convlaws.targets.releases import ReleaseChange, between, bisect
from convlaws.targets.resolve import versioned
from convlaws.targets.venv import versions

FOUND, UNCHANGED = 0, 1


@click.command()
@click.argument("lines", nargs=-1, required=True, metavar='"LINE"... ENGINE')
@click.option("--from", "first", required=True, metavar="VERSION", help="The oldest release to look at.")
@click.option("--to", "last", required=True, metavar="VERSION", help="The newest release to look at.")
@click.option("--law", "laws", multiple=True, metavar="NAME", help="Only this law; default: all that are about the problem.")
@calling
def command(lines, **options) -> None:
    """Find the release of ENGINE in which the problem LINE broke or was fixed; each gets an environment of its own."""
    raise SystemExit(run(lines, **options))


def run(lines: tuple[str, ...], first: str, last: str, **o) -> int:
    """Find the release and print it; return the exit code."""
    if len(lines) < 2:
        raise UsageError("bisect takes at least one problem line, in quotes, and then an ENGINE")
    *texts, name = lines
    problems, method = [Problem.parse(text) for text in texts], get(name)
    if method.package is None:
        raise UsageError(f"{name} is part of convlaws and has no versions of its own")
    chosen = laws.find(o["laws"]) if o["laws"] else laws.laws()
    releases = between(versions(method.package), first, last)
    click.echo(f"{len(releases)} releases of {method.package.name} from {first} to {last}")
    change = bisect(releases, lambda version: _shows(method, version, chosen, problems, o))
    click.echo(_sentence(name, change, first, last))
    return FOUND if change else UNCHANGED


def _shows(method: Method, version: str, chosen: list[Law], problems: list[Problem], o: dict) -> bool | None:
    """True if the last problem fails at `version`; None if that cannot be determined, with the reason printed."""
    try:
        placed = versioned(method, version, settings.calling(o))
        with running(settings.setting(o)) as runner:
            outcomes = [pair for _ in range(FRESH) for pair in repeated(placed, chosen, problems, runner)]
    except UsageError as error:
        click.echo(f"{version}  cannot be told: {error}")
        return None
    return _told(version, outcomes)


def _told(version: str, found: list[tuple[Law, Outcome]]) -> bool | None:
    failing = list(dict.fromkeys(f"{outcome.verdict} {law.name}" for law, outcome in found if outcome.verdict.bad))
    if failing:
        click.echo(f"{version}  {'; '.join(failing)}")
        return True
    if not any(outcome.verdict is Verdict.KEPT for _, outcome in found):
        reason = next((outcome.message for _, outcome in found if outcome.message), "no law is about this problem")
        click.echo(f"{version}  cannot be told: {reason}")
        return None
    click.echo(f"{version}  kept")
    return False


def _sentence(name: str, change: ReleaseChange | None, first: str, last: str) -> str:
    if change is None:
        return f"{name}: {first} and {last} answer alike; there is nothing between them to find"
    verb = "broke" if change.fails_after else "was fixed"
    untold = f"; nothing can be said of {', '.join(change.unknown)}" if change.unknown else ""
    return f"{name}: it {verb} in {change.after}; {change.before} is the last release before{untold}"
