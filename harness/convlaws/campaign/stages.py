"""What to judge next: the shards of a lane's stage, as a function of the plan and of the records of the stages before it.

A lane is an engine. Lanes know nothing of each other, so a slow one holds up none; within one, the shards of a stage do
not depend on each other, so any number of workers can take them in any order and come to the same next stage.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.shard import Shard
from convlaws.campaign.stage_totals import Evidence
from convlaws.problem.problem import OPS
from convlaws.records.finding import LEAST, CellId, Finding, name_parts
from convlaws.search.search import LAWS_A_JOB
from convlaws.targets.registry import Method

FLOOR = LEAST  # examples of a cell before any has more
LATER = 60  # of a shard after that: drawing and a fresh process are paid once for all of them
DOUBLINGS = 5  # stages grow up to 2 ** 5 rounds: few, so that few workers wait for the last shard of one
HIGHEST = 6  # shares that a cell may have in a stage
METHODS_A_JOB = 8  # that share their draws: with more, the draws are no longer what costs, and a shard takes long
ENOUGH = 3  # failures of a cell that are made small; later ones are counted
LINES = 50  # kept lines in one shard


@dataclass(frozen=True)
class Job:
    """Up to six laws on one op, each with up to eight methods that it is about: they share their draws."""

    number: int
    op: str
    cells: tuple[tuple[str, tuple[str, ...]], ...]

    def ids(self) -> Iterator[CellId]:
        """Its (method, law, op)."""
        return (CellId(method, law, self.op) for law, methods in self.cells for method in methods)


@dataclass
class Lane:
    """The methods of one engine, what is to be judged of them, and what they refuse altogether."""

    name: str
    methods: tuple[str, ...]
    jobs: list[Job] = field(default_factory=list)
    refused: list[Finding] = field(default_factory=list)


def lanes(plan: CampaignPlan) -> list[Lane]:
    """The lanes of a campaign, in the order of its methods."""
    by_engine: dict[str, list[Method]] = {}
    for method in plan.resolved():
        by_engine.setdefault(_engine(method), []).append(method)
    return [_laid(plan, name, methods) for name, methods in by_engine.items()]


def _engine(method: Method) -> str:
    package = method.package.name if method.package else "functions" if method.kind == "function" else "convlaws"
    at = f"@{method.version}" * bool(method.version) + f"%{method.level}" * bool(method.level)
    return f"{package}{at}"


def _laid(plan: CampaignPlan, name: str, methods: list[Method]) -> Lane:
    """Jobs as a search lays them out: the weighty laws first."""
    lane = Lane(name, tuple(m.name for m in methods))
    hands = [plan.search(methods[start : start + METHODS_A_JOB]) for start in range(0, len(methods), METHODS_A_JOB)]
    ordered = sorted(hands[0].laws, key=lambda law: -law.weight)
    for start in range(0, len(ordered), LAWS_A_JOB):
        for op, hand in product(OPS, hands):
            cells = []
            for law in ordered[start : start + LAWS_A_JOB]:
                some, refused = hand.job(law, op) if op in law.scope.ops else ([], [])
                lane.refused += refused
                if some:
                    cells.append((law.name, tuple(cell.method.name for cell in some)))
            if cells:
                lane.jobs.append(Job(len(lane.jobs), op, tuple(cells)))
    return lane


def stage(plan: CampaignPlan, lane: Lane, number: int, evidence: Evidence) -> list[Shard]:
    """The shards of a lane's stage, in the order in which they should be judged; none: there is nothing left to do."""
    kept = _kept(plan, lane) if number == 0 else []
    return kept + (_weighed(plan, lane, number, evidence) if plan.examples is None else _counted(plan, lane, number, evidence))


def _kept(plan: CampaignPlan, lane: Lane) -> list[Shard]:
    """The lines that failed once, before anything is drawn; the first part judges them."""
    mine = [line for line in plan.kept if line[0] in lane.methods] if plan.part[0] == 1 else []
    pieces = [tuple(mine[start : start + LINES]) for start in range(0, len(mine), LINES)]
    return [Shard(campaign=plan.id, lane=lane.name, stage=0, seed=n, lines=piece) for n, piece in enumerate(pieces)]


# --- a number of examples each ------------------------------------------------------------
def sizes(examples: int) -> list[int]:
    """How many examples the shards of a job have.

    >>> sizes(150)
    [20, 60, 60, 10]
    """
    first = [min(examples, FLOOR)]
    rest = range(first[0], examples, LATER)
    return first + [min(LATER, examples - start) for start in rest]


def _counted(plan: CampaignPlan, lane: Lane, number: int, evidence: Evidence) -> list[Shard]:
    """First a shard of each job, then all others, but for what is exhausted."""
    if number > 1:
        return []
    assert plan.examples is not None
    counts, (part, parts) = sizes(plan.examples), plan.part
    found = []
    for job in lane.jobs:
        mine = [r for r in range(len(counts)) if (job.number + r) % parts == part - 1]
        for r in mine[1:] if number else mine[:1]:
            levels = {key: int(key not in evidence.spent) for key in job.ids()}
            found.append((r, _shard(plan, lane, job, levels, number, f"- {r}", counts[r])))
    return [shard for _, shard in sorted(found, key=lambda pair: pair[0]) if shard]


# --- a budget ---------------------------------------------------------------------------
def _weighed(plan: CampaignPlan, lane: Lane, number: int, evidence: Evidence) -> list[Shard]:
    """A stage has a round for each share of its neediest cell, and twice as many as the stage before it."""
    growth = 2 ** min(number - 1, DOUBLINGS) if number else 1
    few = evidence.few()
    shares = {key: _shares(plan, key, number, evidence, few) for job in lane.jobs for key in job.ids()}
    part, parts = plan.part
    found = []
    for turn in range(growth * max(shares.values(), default=0)):
        for job in lane.jobs:
            levels = {key: int(shares[key] * growth > turn) for key in job.ids()}
            salt = f"{number} {turn * parts + part - 1}"
            found.append(_shard(plan, lane, job, levels, number, salt, LATER if number else FLOOR, evidence))
    return [shard for shard in found if shard]


def _shares(plan: CampaignPlan, key: CellId, number: int, evidence: Evidence, few: float) -> int:
    """How many shares of a stage a cell gets: its floor first, then more where it pays."""
    method, law, _ = key
    if number == 0:
        return 1
    if key in evidence.spent:
        return 0
    shares = 1 + 2 * (0 < evidence.small[key] < ENOUGH) + (method in plan.changed) + ((law, method) in plan.suspects)
    return min(shares + (evidence.examples[key] < few) + evidence.is_growing(method), HIGHEST)


def _shard(
    plan: CampaignPlan,
    lane: Lane,
    job: Job,
    levels: dict[CellId, int],
    number: int,
    salt: str,
    examples: int,
    evidence: Evidence | None = None,
) -> Shard | None:
    """The shard of a job with the cells that have a share in it; None if none has."""
    cells = tuple((law, tuple(m for m in methods if levels[CellId(m, law, job.op)])) for law, methods in job.cells)
    cells = tuple((law, methods) for law, methods in cells if methods)
    quiet = tuple((k.law, k.method) for k in job.ids() if evidence and levels[k] and evidence.small[k] >= ENOUGH)
    engine = name_parts(lane.name)[0]  # two versions or levels of an engine are asked the same
    seed = zlib.crc32(f"{plan.seed} {engine} {salt}".encode())
    if not cells:
        return None
    return Shard(
        campaign=plan.id, lane=lane.name, stage=number, seed=seed, examples=examples, op=job.op, cells=cells, quiet=quiet
    )
