"""The result files of a campaign: derived from its records, so they can be regenerated."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from convlaws.campaign.corpus import NAME as CORPUS
from convlaws.campaign.corpus import kept, text_of
from convlaws.campaign.lane_cache import laid_out
from convlaws.campaign.plan import CampaignPlan, read_plan
from convlaws.campaign.records import DiskError
from convlaws.campaign.run import CampaignState, load
from convlaws.campaign.schedule import Schedule
from convlaws.campaign.stages import Lane
from convlaws.campaign.totals import Totals
from convlaws.laws import registry as laws
from convlaws.records.coverage import AXES
from convlaws.records.finding import SCHEMA, CellId, Finding, Verdict, digest, summary_line, too_few
from convlaws.records.merge import Run
from convlaws.records.runs import RecordedRun, split
from convlaws.records.tallies import counts, shares
from convlaws.reports.markdown import markdown
from convlaws.strategies.blocks import DRAW

FINDINGS, SUMMARY = "findings.jsonl", "summary.md"


def replaced(path: Path, text: str) -> None:
    """Replace the content of a file atomically.

    Raises:
        DiskError: the write failed; the file is unchanged.
    """
    new = path.with_name(f".{path.name}~")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise DiskError(f"{path} cannot be written: {error.strerror}") from None


def results(plan: CampaignPlan, laid: Iterable[Lane], state: CampaignState, seconds: float, *, interrupted: bool) -> Run:
    """All results of a campaign: the findings, and one summary per environment."""
    laid = list(laid)
    order = {key: n for n, key in enumerate(_keys(laid))}
    totals = state.whole()
    places = totals.places()
    findings, summaries = [], []
    for place in places:
        run = plan.run if len(places) == 1 else digest(f"{plan.run} {place}")
        mine = _completed(laid, totals.findings(place, order), order)
        for f in mine:
            f.run, f.environment = run, place
        findings += mine
        told = {"run": run, "command": sys.argv[1:], "environment": state.headers[place]["environment"]}
        told |= {"seconds": round(seconds, 2), "interrupted": interrupted, "unfinished": False}
        summaries.append({**told, **_summary(plan, state, totals, mine, place)})
    return Run(findings, summaries)


def _summary(plan: CampaignPlan, state: CampaignState, totals: Totals, mine: list[Finding], place: str) -> dict[str, Any]:
    """The fields of the summary that do not depend on when and where the campaign was started."""
    return {
        "judged": totals.judged,
        "seed": plan.seed,
        "draw": DRAW,
        "known_not_shown": [],
        "known_findings": [s.record() for s in shares(mine)],
        "lost": state.lost,
        "coverage": {"axes": AXES, "methods": totals.coverage.get(place, {})},
        "shards": totals.shards,
        "campaign": plan.id,
        "part": list(plan.part),
        **counts(mine),
    }


def _keys(laid: list[Lane]) -> list[CellId]:
    """Every (method, law, op), grouped by method, as `check` sorts them."""
    keys = [cell for lane in laid for job in lane.jobs for cell in job.ids()]
    keys += [f.cell for lane in laid for f in lane.refused]
    methods = {m: n for n, m in enumerate(m for lane in laid for m in lane.methods)}
    return sorted(dict.fromkeys(keys), key=lambda cell: methods[cell.method])


def _completed(laid: list[Lane], found: list[Finding], order: dict[CellId, int]) -> list[Finding]:
    """The findings, plus one for each (method, law, op) that was refused or never judged."""
    there = {f.cell for f in found}
    table = {law.name: law for law in laws.laws()}
    missing = [f for lane in laid for f in lane.refused if f.cell not in there]
    for cell in (cell for lane in laid for job in lane.jobs for cell in job.ids()):
        if cell not in there:
            unjudged = Finding(**cell._asdict(), verdict=Verdict.VACUOUS, message=too_few(0, {}))
            law = table[cell.law]
            missing.append(replace(unjudged, says=law.says, family=law.family, specific=law.specific))
    return sorted([*found, *missing], key=lambda f: order[f.cell])


def write(folder: Path, done: Run) -> None:
    """Write findings, summary and corpus to `folder`.

    Raises:
        DiskError: a file cannot be written.
    """
    lines = []
    for summary in done.summaries:
        lines += [f.to_line() for f in done.findings if f.run == summary["run"]]
        lines.append(summary_line(**summary))
    replaced(folder / FINDINGS, "".join(f"{line}\n" for line in lines))
    replaced(folder / SUMMARY, markdown(done.apart()))
    new = [f for f in done.findings if f.verdict.bad and not f.known]
    replaced(folder / CORPUS, text_of(map(kept, new)))


def joined(folders: Iterable[Path]) -> tuple[list[RecordedRun], list[str]]:
    """The campaigns in these folders as runs, parts of one campaign joined; and a note for each unfinished one.

    Shards are identified by their ids, so a shard in several folders counts once.
    """
    by_campaign: dict[str, dict[Path, CampaignPlan]] = {}
    for folder in dict.fromkeys(folders):
        plan = read_plan(folder)
        by_campaign.setdefault(plan.id, {})[folder] = plan
    runs: list[RecordedRun] = []
    notes: list[str] = []
    for plans in by_campaign.values():
        whole = _together(list(plans.values()))
        laid = laid_out(whole, next(iter(plans)))
        state = CampaignState(Schedule(whole, laid))
        for folder in plans:
            state.over = False
            load(folder, whole, laid, state)
            notes += [] if state.over else [f"{folder}: it did not come to its end; what it had judged until then is here"]
        done = results(whole, laid, state, state.elapsed, interrupted=False)
        for summary in done.summaries:
            runs += split([f for f in done.findings if f.run == summary["run"]], {"kind": "summary", "schema": SCHEMA, **summary})
    return runs, notes


def _together(plans: list[CampaignPlan]) -> CampaignPlan:
    """The plan of several parts: of the whole campaign if all parts are given, else of the first part."""
    parts = sorted({plan.part for plan in plans})
    if len(parts) == 1 or len({n for _, n in parts}) > 1:
        return plans[0]
    return replace(plans[0], part=(1, 1) if len(parts) == parts[0][1] else parts[0])
