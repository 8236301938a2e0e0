"""Cache of a campaign's lanes, beside its plan: laying out thirty methods and sixty laws takes half a minute."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.stages import Job, Lane, lanes
from convlaws.records.finding import Finding, Verdict

NAME = "lanes.json"
_PLAIN = asdict(Finding(method="", law="", op="", verdict=Verdict.KEPT))


def text_of(plan: CampaignPlan, laid: list[Lane]) -> str:
    """The text of the cache file."""
    return json.dumps({"campaign": plan.id, "lanes": [_told(lane) for lane in laid]}) + "\n"


def _told(lane: Lane) -> dict[str, Any]:
    refused = [{k: v for k, v in asdict(f).items() if k == "verdict" or v != _PLAIN[k]} for f in lane.refused]
    jobs = [{"op": job.op, "cells": job.cells} for job in lane.jobs]
    return {"name": lane.name, "methods": lane.methods, "jobs": jobs, "refused": refused}


def laid_out(plan: CampaignPlan, folder: Path) -> list[Lane]:
    """The lanes, from the folder's cache if it is there."""
    try:
        told = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if told["campaign"] == plan.id:
            return [_lane(lane) for lane in told["lanes"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # missing or incomplete: the lanes are computed again
    return lanes(plan)


def _lane(told: dict[str, Any]) -> Lane:
    cells = [tuple((law, tuple(methods)) for law, methods in job["cells"]) for job in told["jobs"]]
    jobs = [Job(number, job["op"], cells[number]) for number, job in enumerate(told["jobs"])]
    return Lane(told["name"], tuple(told["methods"]), jobs, [Finding.of(record) for record in told["refused"]])
