"""Schedule: the shards that are done, and the choice of the next one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.shard import Shard
from convlaws.campaign.stage_totals import Evidence
from convlaws.campaign.stages import Lane, stage

TWICE = 2  # deaths in a row at the same case, after which a shard is given up: the case is the cause
OFTEN = 20  # deaths anywhere in a shard, after which it is given up: kills from outside never hit one shard so often


@dataclass
class LaneProgress:
    """State of one lane: its stage, the shards waiting, in flight and done, and the worker-seconds spent on it."""

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
        """Go on to the next stage while all shards of the current one are done."""
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
    """The lanes of a campaign; the one with the least time spent is served next."""

    def __init__(self, plan: CampaignPlan, lanes: Iterable[Lane]):
        self.plan = plan
        self.courses = {lane.name: LaneProgress(lane) for lane in lanes}
        self.expected = sum(
            len(stage(plan, c.lane, n, Evidence())) for c in self.courses.values() for n in (0, 1)[: bool(plan.examples) + 1]
        )
        self.deaths: dict[str, list[int]] = {}
        self.crashed: dict[str, dict[str, Any]] = {}

    def remember(self, record: Mapping[str, Any]) -> None:
        """Add a record of an earlier session, before anything is planned."""
        if record["kind"] == "shard" and record["complete"]:
            self.finish(record)
        elif record["kind"] == "death" and record["shard"]:
            self.deaths.setdefault(record["shard"], []).append(record["at"])
        elif record["kind"] == "crashed":
            self.crash(record)

    def is_done(self, record: Mapping[str, Any]) -> bool:
        """True if the shard of this record is done already."""
        return record["shard"] in self.courses[record["lane"]].done

    def is_flying(self, shard: str) -> bool:
        """True if the shard is in flight."""
        return any(shard in course.flying for course in self.courses.values())

    def finish(self, record: Mapping[str, Any]) -> None:
        """Mark the shard of this record as completely judged."""
        course = self.courses[record["lane"]]
        course.done.add(record["shard"])
        course.flying.pop(record["shard"], None)
        course.seconds += record["seconds"]
        course.judged += 1
        course.told.setdefault(record["stage"], Evidence()).see(record)
        self.deaths.pop(record["shard"], None)

    def crash(self, record: Mapping[str, Any]) -> None:
        """Mark the shard of this record as given up."""
        self.crashed[record["shard"]] = dict(record)
        course = self.courses[record["lane"]]
        course.done.add(record["shard"])
        course.flying.pop(record["shard"], None)

    def next(self) -> Shard | None:
        """The shard to judge next; None if all are done, or the next stage waits for those in flight."""
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
        """Estimated seconds for the lane's shards in flight, from the mean of its shards so far."""
        return len(course.flying) * (course.seconds / course.judged if course.judged else 1.0)

    def progress(self) -> tuple[int, int]:
        """(shards done, shards planned so far)."""
        done = sum(c.judged for c in self.courses.values()) + len(self.crashed)
        left = sum(len(c.waiting) + len(c.flying) for c in self.courses.values())
        return done, max(done + left, self.expected)

    def share(self) -> float:
        """The fraction of the planned shards that is done, from 0 to 1."""
        done, planned = self.progress()
        return done / planned if planned else 0.0

    def is_over(self) -> bool:
        """True if no shard is left to judge."""
        return all(course.over for course in self.courses.values())

    def fall(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """Handle the death of a worker in a shard: queue the shard again (None), or return the record that gives it up."""
        course = next(c for c in self.courses.values() if record["shard"] in c.flying)
        shard = course.flying.pop(record["shard"])
        places = self.deaths.setdefault(shard.id, [])
        places.append(record["at"])
        poisoned = record["at"] > 0 and places[-TWICE:] == [record["at"]] * TWICE
        if not poisoned and len(places) < OFTEN and not record.get("final"):
            course.waiting.append(shard)  # at the end of the queue: if it is the cause, the other shards are done first
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
        """Queue a shard again that was cut off on purpose."""
        for course in self.courses.values():
            if shard := course.flying.pop(shard_id, None):
                course.waiting.appendleft(shard)
