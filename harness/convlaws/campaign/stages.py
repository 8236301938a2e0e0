"""The shards of a lane's stage, as a function of the plan and of the records of the stages before it.

A lane is an engine. Lanes are independent, so a slow one delays no other; within one, the shards of a stage do not
depend on each other, so any number of workers can judge them in any order and get the same next stage.
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

FLOOR = LEAST  # examples that every cell gets before any gets more
LATER = 60  # examples of a shard after that: drawing and a fresh process are paid once for all of them
DOUBLINGS = 5  # stages grow up to 2 ** 5 rounds: with few stages, workers seldom wait for the last shard of one
HIGHEST = 6  # the most shares that a cell may have in a stage
METHODS_A_JOB = 8  # methods that share their draws: with more, drawing is no longer the main cost, and a shard takes long
ENOUGH = 3  # failures of a cell that are shrunk; later ones are only counted
LINES = 50  # kept lines in one shard


@dataclass(frozen=True)
class Job:
    """Up to six laws on one op, each with up to eight applicable methods; all share their draws."""

    number: int
    op: str
    cells: tuple[tuple[str, tuple[str, ...]], ...]

    def ids(self) -> Iterator[CellId]:
        """Its (method, law, op)."""
        return (CellId(method, law, self.op) for law, methods in self.cells for method in methods)


@dataclass
class Lane:
    """The methods of one engine, the jobs to be judged for them, and the findings of those refused."""

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
    """The lane with its jobs, as a search lays them out: laws of the largest weight first."""
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
    """The shards of a lane's stage, in the order in which they should be judged; an empty list: the lane is finished."""
    kept = _kept(plan, lane) if number == 0 else []
    return kept + (_weighed(plan, lane, number, evidence) if plan.examples is None else _counted(plan, lane, number, evidence))


def _kept(plan: CampaignPlan, lane: Lane) -> list[Shard]:
    """Shards of the kept failing lines, judged before anything is drawn; only the first part of a campaign has them."""
    mine = [line for line in plan.kept if line[0] in lane.methods] if plan.part[0] == 1 else []
    pieces = [tuple(mine[start : start + LINES]) for start in range(0, len(mine), LINES)]
    return [Shard(campaign=plan.id, lane=lane.name, stage=0, seed=n, lines=piece) for n, piece in enumerate(pieces)]


# --- with a number of examples for each cell -------------------------------------------------
def sizes(examples: int) -> list[int]:
    """The number of examples in each shard of a job.

    >>> sizes(150)
    [20, 60, 60, 10]
    """
    first = [min(examples, FLOOR)]
    rest = range(first[0], examples, LATER)
    return first + [min(LATER, examples - start) for start in rest]


def _counted(plan: CampaignPlan, lane: Lane, number: int, evidence: Evidence) -> list[Shard]:
    """Stage 0: the first shard of each job; stage 1: all other shards, without exhausted cells."""
    if number > 1:
        return []
    assert plan.examples is not None
    counts, (part, parts) = sizes(plan.examples), plan.part
    pairs = []
    for job in lane.jobs:
        mine = [r for r in range(len(counts)) if (job.number + r) % parts == part - 1]
        for r in mine[1:] if number else mine[:1]:
            levels = {key: int(key not in evidence.spent) for key in job.ids()}
            pairs.append((r, _shard(plan, lane, job, levels, number, f"- {r}", counts[r])))
    return [shard for _, shard in sorted(pairs, key=lambda pair: pair[0]) if shard]


# --- with a time budget -----------------------------------------------------------------
def _weighed(plan: CampaignPlan, lane: Lane, number: int, evidence: Evidence) -> list[Shard]:
    """The shards of a stage: a round for each share of the cell with the most, times a factor that doubles with each stage."""
    growth = 2 ** min(number - 1, DOUBLINGS) if number else 1
    few = evidence.few()
    shares = {key: _shares(plan, key, number, evidence, few) for job in lane.jobs for key in job.ids()}
    part, parts = plan.part
    shards = []
    for turn in range(growth * max(shares.values(), default=0)):
        for job in lane.jobs:
            levels = {key: int(shares[key] * growth > turn) for key in job.ids()}
            salt = f"{number} {turn * parts + part - 1}"
            shards.append(_shard(plan, lane, job, levels, number, salt, LATER if number else FLOOR, evidence))
    return [shard for shard in shards if shard]


def _shares(plan: CampaignPlan, key: CellId, number: int, evidence: Evidence, few: float) -> int:
    """The number of shares that a cell gets in a stage: first its floor, then more where it finds more."""
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
    engine = name_parts(lane.name)[0]  # two versions or levels of an engine get the same draws
    seed = zlib.crc32(f"{plan.seed} {engine} {salt}".encode())
    if not cells:
        return None
    return Shard(
        campaign=plan.id, lane=lane.name, stage=number, seed=seed, examples=examples, op=job.op, cells=cells, quiet=quiet
    )
