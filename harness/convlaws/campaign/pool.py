"""Pool: the workers of a campaign on this machine; a process that ends is replaced."""

from __future__ import annotations

import os
import selectors
from collections.abc import Iterator
from typing import Any, Protocol

from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.shard import Shard
from convlaws.campaign.worker_process import Post, WorkerProcess, death
from convlaws.errors import UsageError

FAILED_STARTS = 3  # number of workers in a row that end before they send anything
OPENING = 300.0  # seconds that importing an engine may take, in addition to the limit of its calls
CALLS = 30  # number of calls that one case may make, each as long as the time limit


class Pool(Protocol):
    """Interface of the workers that judge shards: processes here, or on other machines."""

    size: int

    def wants(self) -> int:
        """The number of further shards that it can take now."""
        ...

    def give(self, shard: Shard) -> None:
        """Assign a shard to a worker."""
        ...

    def hear(self, seconds: float) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (worker number, record) as received, waiting at most `seconds`; a `death` record names its shard."""
        ...

    def running(self) -> int:
        """The number of shards being judged."""
        ...

    def cases(self) -> int:
        """The number of cases judged so far of the shards in flight."""
        ...

    def stop(self, *, now: bool = False) -> None:
        """Tell all workers to finish their case, or to cut it off now, and to send their records; no further shard is taken."""
        ...

    def close(self) -> None:
        """Kill all workers at once."""
        ...


def cores_of(number: int, workers: int, threads: int) -> tuple[int, ...]:
    """The cores of a worker, if there is a core for every thread of every worker; else an empty tuple (no pinning)."""
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return tuple(mine[number * threads : (number + 1) * threads]) if workers * threads <= len(mine) else ()


class Local:
    """Worker processes on this machine."""

    def __init__(self, plan: CampaignPlan, workers: int, observations: str = ""):
        self.size = workers
        self.posts = [Post(plan, n, observations, cores_of(n, workers, plan.threads)) for n in range(workers)]
        self.patience = OPENING + CALLS * plan.time_limit
        self.selector = selectors.DefaultSelector()
        self.workers: dict[int, WorkerProcess] = {}
        self.stopping, self.failed_starts = False, 0

    def _start(self) -> WorkerProcess:
        number = next(n for n in range(self.size) if n not in self.workers)
        worker = self.workers[number] = WorkerProcess(self.posts[number])
        self.selector.register(worker.out, selectors.EVENT_READ, number)
        return worker

    def wants(self) -> int:
        """The number of further shards that it can take now."""
        return 0 if self.stopping else self.size - self.running()

    def give(self, shard: Shard) -> None:
        """Assign a shard to an idle worker, or to a new one."""
        idle = next((w for w in self.workers.values() if w.shard is None), None)
        (idle or self._start()).give(shard)

    def running(self) -> int:
        """The number of shards being judged."""
        return sum(w.shard is not None for w in self.workers.values())

    def cases(self) -> int:
        """The number of cases judged so far of the shards in flight."""
        return sum(w.at for w in self.workers.values() if w.shard is not None)

    def hear(self, seconds: float) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (worker number, record) as received; kill silent workers, drop those that ended."""
        for key, _ in self.selector.select(seconds):
            yield from self._hear(key.data)
        for worker in list(self.workers.values()):
            if worker.silent() > self.patience:
                worker.kill()  # a silent worker is handled like one that died

    def _hear(self, number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        worker = self.workers[number]
        records, over = worker.hear()
        yield from ((number, record) for record in records)
        if not over:
            return
        self.selector.unregister(worker.out)
        del self.workers[number]
        shard, at = worker.shard, worker.at
        how = worker.reap()
        if shard:
            yield number, death(shard, at, how, number)
        self.failed_starts = 0 if worker.answered else self.failed_starts + 1
        if self.failed_starts >= FAILED_STARTS:
            raise UsageError(f"{FAILED_STARTS} workers in a row could not begin; the last one {how}")

    def stop(self, *, now: bool = False) -> None:
        """Tell all workers to finish their case, or to cut it off now; idle ones end at once."""
        self.stopping = True
        for worker in self.workers.values():
            worker.stop(now=now)

    def close(self) -> None:
        """Kill and reap all workers."""
        for worker in self.workers.values():
            worker.kill()
            worker.reap()
        self.workers.clear()
        self.selector.close()
