"""`convlaws campaign`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from convlaws.campaign.corpus import NAME as CORPUS
from convlaws.campaign.corpus import kept, text_of
from convlaws.campaign.files import replaced, results, write
from convlaws.campaign.lane_cache import NAME as LANES
from convlaws.campaign.lane_cache import laid_out
from convlaws.campaign.lane_cache import text_of as text_of_lanes
from convlaws.campaign.plan import NAME, CampaignPlan, read_plan
from convlaws.campaign.pool import Local, Pool
from convlaws.campaign.records import DiskError, Records
from convlaws.campaign.run import Campaign, CampaignState, load
from convlaws.campaign.shared_lines import Shared
from convlaws.campaign.stages import lanes
from convlaws.cli.campaign_plan import check_versions, planned
from convlaws.cli.campaign_progress import progress
from convlaws.cli.check import SHOWN, exit_code
from convlaws.cli.options import Duration, PartOption, calling, known_as, narrowing
from convlaws.cli.settings import warn
from convlaws.errors import HarnessError, UsageError
from convlaws.records.finding import Finding, counted
from convlaws.records.merge import Run
from convlaws.records.tallies import shares
from convlaws.reports import console
from convlaws.sandbox.interrupt import INTERRUPTED, Interrupt, deferred_sigint, keeping

# options that may be given again when a campaign is resumed: how long, by which workers; not what is judged
ANEW = {"resume", "budget", "workers", "dask", "database", "plan", "observations"}


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@narrowing
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where everything goes.")
@click.option("--resume", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Go on with the campaign in DIR.")
@click.option("--budget", type=Duration(), metavar="TIME", help="How long, as in 90s, 30m, 2h, 7d (default 10m).")
@click.option("--examples", type=click.IntRange(min=1), metavar="N", help="Judge N examples a (method, law, op), no more.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Every draw derives from it.")
@click.option("--plan", is_flag=True, help="Print the plan as JSON, and judge nothing.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Processes that judge (default: the CPUs).")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of each worker's libraries (default: CPUs / workers).")
@click.option(
    "--shard", type=PartOption(), default="1/1", metavar="I/N", help="Judge the I-th of N parts; 'merge DIR...' joins them."
)
@click.option("--dask", metavar="ADDRESS", help="Judge on a Dask cluster: tcp://HOST:PORT, or local.")
@click.option("--database", metavar="WHERE", help="Share failing lines: a directory, redis://HOST:PORT, github:OWNER/REPOSITORY.")
@click.option(
    "--since",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="An earlier campaign: its failing lines first, more for engines that changed.",
)
@click.option("--observations", is_flag=True, help="Record each draw in DIR/observations, for Tyche; old files go.")
@known_as
@calling
@click.pass_context
def command(context, targets, **options) -> None:
    """Put the laws to TARGETs for hours, on many processes or machines, and lose nothing when they are killed."""
    given = [name for name in options if context.get_parameter_source(name).name == "COMMANDLINE"]
    raise SystemExit(run(targets, given, **options))


def run(targets: tuple[str, ...], given: list[str], **o: Any) -> int:
    """Plan, judge, write and print; return the exit code. `given` are the options that the user gave."""
    folder: Path | None = o["resume"] or o["output"]
    if o["dask"] and o["observations"]:
        raise UsageError("--observations writes files where the shards are judged: with --dask that is elsewhere")
    shared = Shared(o["database"]) if o["database"] else None
    o["workers"] = o["workers"] or os.cpu_count() or 1
    plan = _resumed(folder, targets, given) if o["resume"] and folder else planned(targets, o, shared)
    if o["plan"]:
        _show(plan)
        return 0
    if folder is None:
        raise UsageError("a campaign needs a folder: -o DIR, or --resume DIR")
    warn()
    return _go(plan, folder, shared, o)


def _resumed(folder: Path, targets: tuple[str, ...], given: list[str]) -> CampaignPlan:
    if fixed := [*targets, *(f"--{name.replace('_', '-')}" for name in given if name not in ANEW)]:
        raise UsageError(f"--resume goes on with what {folder / NAME} says: {fixed[0]} cannot be said anew")
    plan = read_plan(folder)
    check_versions(plan, folder)
    return plan


def _show(plan: CampaignPlan) -> None:
    """Print the plan, its lanes, and the first shards."""
    from convlaws.campaign.stage_totals import Evidence
    from convlaws.campaign.stages import stage

    laid = lanes(plan)
    shards = [shard for lane in laid for shard in stage(plan, lane, 0, Evidence())]
    cells = {lane.name: sum(len(list(job.ids())) for job in lane.jobs) for lane in laid}
    click.echo(json.dumps({
        **plan.to_record(),
        "lanes": [{"lane": x.name, "methods": x.methods, "jobs": len(x.jobs), "cells": cells[x.name], "refused": len(x.refused)}
                  for x in laid],
        "first": [shard.to_record() for shard in shards],
    }, indent=1))  # fmt: skip
    said = f"{counted(len(laid), 'lane')}, {counted(sum(cells.values()), '(method, law, op)')}".replace(")s", ")")
    click.echo(f"convlaws: {said}; {counted(len(shards), 'shard')} first", err=True)


def _go(plan: CampaignPlan, folder: Path, shared: Shared | None, o: dict[str, Any]) -> int:
    laid = laid_out(plan, folder)
    with _explained(folder), _ended_politely() as interrupt, closing(Records(folder)) as records:
        if not o["resume"]:
            _begin(plan, folder)
            replaced(folder / LANES, text_of_lanes(plan, laid))
        state = load(folder, plan, laid)
        budget = _budget(plan, state, o)
        with closing(_pool(plan, o, folder)) as pool, progress(budget, shared) as show:
            campaign = Campaign(state, records, show, partial(_found, folder, state, shared))
            campaign.run(pool, interrupt, budget)
        done = results(plan, laid, state, campaign.elapsed, interrupted=interrupt.requested)
        write(folder, done)
        code = _conclude(done, state, interrupt)
    if interrupt.requested:
        click.echo(f"convlaws: interrupted; go on with: convlaws campaign --resume {folder}", err=True)
    if shared:
        shared.save(map(kept, state.totals.new()))  # those of earlier sessions too: the database may have been unavailable then
        shared.close()
    return code


def _begin(plan: CampaignPlan, folder: Path) -> None:
    """Write the plan to the folder; raise UsageError if a campaign there has judged something."""
    if (folder / NAME).exists() and any(path.stat().st_size for path in (folder / "records").glob("worker-*.jsonl")):
        raise UsageError(f"{folder} holds a campaign already: go on with --resume {folder}, or choose another folder")
    for old in (folder / "records").glob("*.jsonl"):
        old.unlink()
    replaced(folder / NAME, json.dumps(plan.to_record(), indent=1) + "\n")


def _budget(plan: CampaignPlan, state: CampaignState, o: dict[str, Any]) -> float | None:
    """The limit in seconds of work, of all sessions: the plan's, or on --resume the time so far plus --budget."""
    if o["resume"] and o["budget"]:
        return state.elapsed + o["budget"]
    return plan.budget


def _pool(plan: CampaignPlan, o: dict[str, Any], folder: Path) -> Pool:
    observations = str((folder / "observations").resolve()) if o["observations"] else ""
    if o["dask"]:
        from convlaws.campaign.dask_pool import Cluster

        return Cluster(plan, o["dask"], o["workers"])
    return Local(plan, o["workers"], observations)


def _found(folder: Path, state: CampaignState, shared: Shared | None, news: list[Finding]) -> None:
    """Write new shrunk failures to the corpus and the shared database."""
    replaced(folder / CORPUS, text_of(map(kept, state.totals.new())))
    if shared:
        shared.save(map(kept, news))


@contextmanager
def _ended_politely() -> Iterator[Interrupt]:
    """Context in which Ctrl-C and SIGTERM (which clusters send before they take a machine back) only set a flag."""
    with deferred_sigint() as interrupt:
        before = signal.signal(signal.SIGTERM, interrupt.press)
        try:
            yield interrupt
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Add how to resume to the message of whatever ends the campaign early."""
    on = f"nothing that was written is lost; go on with: convlaws campaign --resume {folder}"
    try:
        with keeping(lambda: f"; {on}" if (folder / NAME).exists() else ""):
            yield
    except DiskError as error:
        raise DiskError(f"{error}; {on}") from None
    except KeyboardInterrupt:
        click.echo(f"convlaws: stopped at once; {on}", err=True)
        raise


def _conclude(done: Run, state: CampaignState, interrupt: Interrupt) -> int:
    findings = done.apart()
    click.echo(console.table(findings))
    click.echo(f"\n{console.by_method(findings)}")
    for text in (console.unasked(findings), console.failures(findings, most=SHOWN), console.known_summary(shares(findings))):
        if text:
            click.echo(f"\n{text}")
    judged, seconds = state.totals.judged, done.summaries[0]["seconds"] if done.summaries else 0
    click.echo(f"\n{console.verdict_line(findings, judged, seconds)}")
    if state.lost:
        raise HarnessError("; ".join(state.lost))
    return INTERRUPTED if interrupt.requested else exit_code(findings)
