"""Schedule: which shard is judged next, and which are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.shard import Shard
from convlaws.campaign.stage_totals import Evidence
from convlaws.campaign.stages import Lane, stage

TWICE = 2  # deaths in a row at the same case, after which a shard is not tried again: the case is to blame
OFTEN = 20  # deaths anywhere in it: kills from outside hit a shard here and there, never so often


@dataclass
class LaneProgress:
    """One lane under way: its stage, what is waiting, in flight and done of it, and the worker-seconds that it had."""

    lane: Lane
    stage: int = -1
    waiting: deque[Shard] = field(default_factory=deque)
    planned: int = 0
    done: set[str] = field(default_factory=set)
    flying: dict[str, Shard] = field(default_factory=dict)
    seconds: float = 0.0
    judged: int = 0
    evidence: Evidence = field(default_factory=Evidence)
    told: dict[int, Evidence] = field(default_factory=dict)
    over: bool = False

    def advance(self, plan: CampaignPlan) -> None:
        """Go on to the next stage as long as all of this one is done."""
        while not (self.over or self.waiting or self.flying):
            self.evidence.absorb(self.told.pop(self.stage, Evidence()))
            self.stage += 1
            shards = stage(plan, self.lane, self.stage, self.evidence)
            self.planned, self.over = len(shards), not shards
            self.waiting.extend(shard for shard in shards if shard.id not in self.done)
            if self.waiting:
                self.done &= {shard.id for shard in shards}
            elif shards:
                self.done -= {shard.id for shard in shards}


class Schedule:
    """The lanes of a campaign, of which the one that had least time is served next."""

    def __init__(self, plan: CampaignPlan, lanes: Iterable[Lane]):
        self.plan = plan
        self.courses = {lane.name: LaneProgress(lane) for lane in lanes}
        self.expected = sum(
            len(stage(plan, c.lane, n, Evidence())) for c in self.courses.values() for n in (0, 1)[: bool(plan.examples) + 1]
        )
        self.deaths: dict[str, list[int]] = {}
        self.crashed: dict[str, dict[str, Any]] = {}

    def remember(self, record: Mapping[str, Any]) -> None:
        """Take in a record of an earlier session, before anything is planned."""
        if record["kind"] == "shard" and record["complete"]:
            self.finish(record)
        elif record["kind"] == "death" and record["shard"]:
            self.deaths.setdefault(record["shard"], []).append(record["at"])
        elif record["kind"] == "crashed":
            self.crash(record)

    def is_done(self, record: Mapping[str, Any]) -> bool:
        """Whether the shard of a record has its record already."""
        return record["shard"] in self.courses[record["lane"]].done

    def is_flying(self, shard: str) -> bool:
        """Whether somebody is judging it."""
        return any(shard in course.flying for course in self.courses.values())

    def finish(self, record: Mapping[str, Any]) -> None:
        """A shard was judged to its end."""
        course = self.courses[record["lane"]]
        course.done.add(record["shard"])
        course.flying.pop(record["shard"], None)
        course.seconds += record["seconds"]
        course.judged += 1
        course.told.setdefault(record["stage"], Evidence()).see(record)
        self.deaths.pop(record["shard"], None)

    def crash(self, record: Mapping[str, Any]) -> None:
        """A shard is given up."""
        self.crashed[record["shard"]] = dict(record)
        course = self.courses[record["lane"]]
        course.done.add(record["shard"])
        course.flying.pop(record["shard"], None)

    def next(self) -> Shard | None:
        """The shard to judge next; None if all are done, or wait for those in flight."""
        for course in self.courses.values():
            course.advance(self.plan)
        ready = [c for c in self.courses.values() if c.waiting]
        if not ready:
            return None
        course = min(ready, key=lambda c: (c.seconds + self._ahead(c), c.lane.name))
        shard = course.waiting.popleft()
        course.flying[shard.id] = shard
        return shard

    @staticmethod
    def _ahead(course: LaneProgress) -> float:
        """Seconds that its shards in flight will take, as those before did."""
        return len(course.flying) * (course.seconds / course.judged if course.judged else 1.0)

    def progress(self) -> tuple[int, int]:
        """Shards that are done, and that are planned so far."""
        done = sum(c.judged for c in self.courses.values()) + len(self.crashed)
        left = sum(len(c.waiting) + len(c.flying) for c in self.courses.values())
        return done, max(done + left, self.expected)

    def share(self) -> float:
        """The part of the planned shards that is done, from 0 to 1."""
        done, planned = self.progress()
        return done / planned if planned else 0.0

    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return all(course.over for course in self.courses.values())

    def fall(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """A worker died in a shard: it is tried again; or the record that says that it is not."""
        course = next(c for c in self.courses.values() if record["shard"] in c.flying)
        shard = course.flying.pop(record["shard"])
        places = self.deaths.setdefault(shard.id, [])
        places.append(record["at"])
        poisoned = record["at"] > 0 and places[-TWICE:] == [record["at"]] * TWICE
        if not poisoned and len(places) < OFTEN and not record.get("final"):
            course.waiting.append(shard)  # behind the others: should it be to blame, they are done first
            return None
        why = f"{shard} ended its worker {len(places)} times, at case {record['at']}: {record['how']}"
        return {"kind": "crashed", **self._whose(shard), "message": why}

    def refuse(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record of a shard that cannot be judged at all."""
        course = next(c for c in self.courses.values() if record["shard"] in c.flying)
        shard = course.flying[record["shard"]]
        return {"kind": "crashed", **self._whose(shard), "message": f"{shard}: {record['message']}"}

    @staticmethod
    def _whose(shard: Shard) -> dict[str, Any]:
        return {"shard": shard.id, "lane": shard.lane, "stage": shard.stage}

    def put_back(self, shard_id: str) -> None:
        """A shard was cut off on purpose."""
        for course in self.courses.values():
            if shard := course.flying.pop(shard_id, None):
                course.waiting.appendleft(shard)
