"""The main loop of a campaign: gives shards to its pool, writes the records that come back, and decides when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convlaws.campaign.memory import resident
from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.pool import Pool
from convlaws.campaign.records import MAIN, Records, read
from convlaws.campaign.schedule import Schedule
from convlaws.campaign.shard import expanded
from convlaws.campaign.stages import Lane
from convlaws.campaign.totals import Totals
from convlaws.errors import UsageError
from convlaws.records.finding import Finding
from convlaws.sandbox.interrupt import Interrupt

GLANCE = 0.2  # seconds between two checks of the clock
LAST = 1.2  # seconds after Ctrl-C for which it still waits for workers' records


@dataclass
class CampaignState:
    """The state of a campaign: from its files, and from the records of this session.

    `partial` are shards that were cut off on purpose; they count until they have been judged completely.
    """

    schedule: Schedule
    totals: Totals = field(default_factory=Totals)
    partial: dict[str, tuple[dict, dict]] = field(default_factory=dict)
    headers: dict[str, dict] = field(default_factory=dict)  # by the id of the environment
    elapsed: float = 0.0
    over: bool = False  # True if its last session ran to its end

    def take(self, record: dict[str, Any], header: Mapping[str, Any]) -> list[Finding]:
        """Add a worker's record to the state; return the new failures to save."""
        kind, news = record["kind"], []
        self.elapsed = max(self.elapsed, record.get("elapsed", 0.0))
        self.over = record.get("over", False) if kind == "session" else self.over
        if kind == "failures":
            self.totals.note((expanded(cell, header["laws"]) for cell in record["cells"]), header)
        elif kind == "shard" and not self.schedule.is_done(record):
            if record["complete"]:
                news = self.totals.add(record, header)
                self.partial.pop(record["shard"], None)
            else:
                self.partial[record["shard"]] = (record, dict(header))
        if header:
            self.headers[header["environment"]["id"]] = dict(header)
        return news

    @property
    def lost(self) -> list[str]:
        """Messages about the shards that were given up."""
        return [str(record["message"]) for record in self.schedule.crashed.values()]

    def whole(self) -> Totals:
        """The totals, including the shards that were cut off."""
        if not self.partial:
            return self.totals
        whole = self.totals.copy()
        for record, header in self.partial.values():
            whole.add(record, header)
        return whole


def load(folder: Path, plan: CampaignPlan, lanes: list[Lane], into: CampaignState | None = None) -> CampaignState:
    """The state of the campaign in `folder`, added to `into` if given; a shard present in several parts counts once.

    Raises:
        UsageError: a file does not belong to this campaign, or cannot be read.
    """
    state = into or CampaignState(Schedule(plan, lanes))
    for record, header in read(folder):
        if header and header["campaign"] != plan.id:
            raise UsageError(f"{folder} has records of another campaign, {header['campaign']}")
        state.take(record, header)
        if not (record["kind"] == "shard" and state.schedule.is_done(record)):
            state.schedule.remember(record)
    return state


class Campaign:
    """Judges shards until all are done, the time is up or it is interrupted; calls `notify` with itself on progress."""

    def __init__(
        self, state: CampaignState, records: Records, notify: Callable[[Campaign], None], found: Callable[[list[Finding]], None]
    ):
        self.state, self.records, self.notify, self.found = state, records, notify, found
        self.schedule = state.schedule
        self.before, self.started = state.elapsed, time.monotonic()
        self.began = self.started
        self.headers: dict[int, dict] = {}
        self.judged = 0  # in this session
        self.kinds = sum(1 for _ in state.totals.new())
        self.share_before = state.schedule.share()
        self.pool: Pool | None = None

    @property
    def elapsed(self) -> float:
        """Seconds that it has run, in all sessions."""
        return self.before + time.monotonic() - self.started

    def run(self, pool: Pool, interrupt: Interrupt, budget: float | None) -> None:
        """Run to the end; then cases in flight are finished (on Ctrl-C: cut off) and the shards written as partial."""
        self.pool, stopping, hurried = pool, False, False
        self._session(over=False)
        while not interrupt.waited(LAST):
            if not hurried and (interrupt.requested or (not stopping and budget is not None and self.elapsed >= budget)):
                stopping, hurried = True, interrupt.requested
                pool.stop(now=hurried)
            while not stopping and pool.wants() and (shard := self.schedule.next()):
                pool.give(shard)
            if not pool.running():
                break
            for worker, record in pool.hear(GLANCE):
                self._take(worker, record)
            self.notify(self)
        self._session(over=not interrupt.requested)

    def _session(self, *, over: bool) -> None:
        assert self.pool is not None
        told = {"kind": "session", "elapsed": round(self.elapsed, 2), "workers": self.pool.size, "over": over}
        self.records.append(MAIN, told, sync=True)

    def _take(self, worker: int, record: dict[str, Any]) -> None:
        kind = record["kind"]
        if kind == "error":
            raise UsageError(record["message"])
        if kind == "worker":
            if self.headers.get(worker) == record:
                return
            self.headers[worker] = record
        if kind in ("shard", "refused", "death") and not self.schedule.is_flying(record["shard"]):
            return  # a duplicate
        if kind in ("death", "refused"):
            self._give_up(record)
            return
        told = {**record, "elapsed": round(self.elapsed, 2), **({"main_resident": resident()} if kind == "shard" else {})}
        self.records.append(f"worker-{worker}", told, sync=kind == "failures")
        if kind == "shard":
            self._shard(told, self.headers[worker])
        elif kind == "failures":
            self.state.take(told, self.headers[worker])

    def _shard(self, record: dict[str, Any], header: dict) -> None:
        self.judged += record["judged"]
        news = self.state.take(record, header)
        if news:
            self.kinds = sum(1 for _ in self.state.totals.new())
            self.found(news)
        if record["complete"]:
            self.schedule.finish(record)
        elif record["lost"]:
            self._crashed(self.schedule.refuse({**record, "message": record["lost"]}))
        else:
            self.schedule.put_back(record["shard"])

    def _give_up(self, record: dict[str, Any]) -> None:
        if record["kind"] == "refused":
            if not self.state.totals.shards:
                raise UsageError(record["message"])  # the very first shard: the campaign cannot work at all
            self._crashed(self.schedule.refuse(record))
            return
        self.records.append(MAIN, record, sync=True)
        if crashed := self.schedule.fall(record):
            self._crashed(crashed)

    def _crashed(self, record: dict[str, Any]) -> None:
        self.records.append(MAIN, record, sync=True)
        self.schedule.crash(record)
