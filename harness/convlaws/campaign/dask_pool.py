"""Pool on a Dask cluster: each cluster thread runs one worker process, as on this machine, and returns its records.

The worker process isolates Dask from the code under test: a crash there is reported as a death record, with its case.
A Dask worker that dies takes its process with it, and the scheduler gives the shard to another.
"""

from __future__ import annotations

import logging
import queue
import selectors
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.pool import CALLS, FAILED_STARTS, OPENING
from convlaws.campaign.shard import Shard
from convlaws.campaign.worker_process import Post, WorkerProcess, death
from convlaws.errors import UsageError
from convlaws.sandbox.interrupt import deaf

ANSWERS = 30.0  # seconds allowed for a scheduler to answer
DEATHS = 1  # of Dask workers under one shard, on a cluster that we started, after which it is not tried again
CHATTY = ("distributed", "tornado", "asyncio")
GLANCE = 0.2  # seconds between two checks for records and silent workers

# --- code on the cluster ----------------------------------------------------------------
_here = threading.local()
_all: list[WorkerProcess] = []
_stopping = threading.Event()


def judged(plan: dict[str, Any], shard: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Judge a shard; return the id of the thread that did, and the records (with a `death` record if the process died)."""
    wanted = Shard.of(shard)
    worker, fresh = _mine(CampaignPlan.of(plan))
    worker.give(wanted)
    if _stopping.is_set():
        worker.stop()
    from distributed import get_worker

    told: list[dict[str, Any]] = [] if fresh else [_here.header]
    told += _until_done(worker, wanted)
    if worker.shard is not None:  # it died
        _forget(worker)
    _here.header = next((r for r in told if r["kind"] == "worker"), None)
    return f"{get_worker().address} {threading.get_ident()}", told


def _mine(plan: CampaignPlan) -> tuple[WorkerProcess, bool]:
    """The process of this thread, and True if it was started just now."""
    worker = getattr(_here, "worker", None)
    if worker and worker.post.plan == plan and worker.process.poll() is None and _here.header:
        return worker, False
    if worker:
        _forget(worker)
    _here.worker, _here.header = WorkerProcess(Post(plan, 0)), None
    _all.append(_here.worker)
    return _here.worker, True


def _forget(worker: WorkerProcess) -> None:
    worker.kill()
    with suppress(OSError, ValueError):
        worker.reap()
    _all.remove(worker)
    _here.worker = None


def _until_done(worker: WorkerProcess, shard: Shard) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    patience = OPENING + CALLS * worker.post.plan.time_limit
    with selectors.DefaultSelector() as selector:
        selector.register(worker.out, selectors.EVENT_READ)
        while worker.shard is not None:
            if worker.silent() > patience:
                worker.kill()
            if not selector.select(GLANCE):
                continue
            records, over = worker.hear()
            told += records
            if over and worker.shard is not None:
                how = f"ended in case {worker.at} on another machine"
                return [*told, {**death(shard, worker.at, how, 0), "stillborn": not worker.answered}]
    return told


def stop_here(now: bool) -> None:
    """Tell the processes of this Dask worker to finish their case, or to cut it off now."""
    _stopping.set()
    for worker in list(_all):
        worker.stop(now=now)


def clear_here() -> None:
    """Clear the stop flag of this Dask worker, for a new campaign."""
    _stopping.clear()


# --- code on this machine ---------------------------------------------------------------
class Cluster:
    """The workers of a Dask cluster: at tcp://HOST:PORT, or a cluster started here for the campaign ('local').

    Raises:
        UsageError: Dask is not installed, or no scheduler answers at the address.
    """

    def __init__(self, plan: CampaignPlan, address: str, workers: int):
        self.plan, self.address = plan.to_record(), address
        self.cluster, self.client = _connected(address, workers)
        self.back: queue.Queue[Any] = queue.Queue()
        self.flying: dict[str, Any] = {}
        self.numbers: dict[str, int] = {}
        self.stopping, self.stillborn = False, 0
        self.client.run(clear_here)
        self.size = max(self._threads(), 1)
        self.counted = self.answered = time.monotonic()

    def _threads(self) -> int:
        """The number of threads that the cluster has now."""
        info = self.client.scheduler_info(n_workers=-1)
        return sum(worker["nthreads"] for worker in info["workers"].values())

    def wants(self) -> int:
        """The number of further shards that it can take now."""
        if time.monotonic() - self.counted > ANSWERS:
            self.size, self.counted = max(self._threads(), 1), time.monotonic()
        return 0 if self.stopping else self.size - len(self.flying)

    def give(self, shard: Shard) -> None:
        """Submit a shard to the cluster."""
        future = self.client.submit(judged, self.plan, shard.to_record(), key=f"{shard.id}-{time.monotonic_ns()}", pure=False)
        self.flying[future.key] = (future, shard)
        future.add_done_callback(self.back.put)

    def running(self) -> int:
        """The number of shards submitted and not yet returned."""
        return len(self.flying)

    def cases(self) -> int:
        """Always 0: the cases of shards in flight are not known here."""
        return 0

    def hear(self, seconds: float) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (worker number, record) for the results that have arrived, waiting at most `seconds`.

        Raises:
            UsageError: the scheduler is gone.
        """
        self._check()
        with suppress(queue.Empty):
            yield from self._result(self.back.get(timeout=seconds))
            while True:
                yield from self._result(self.back.get_nowait())

    def _check(self) -> None:
        """Raise UsageError if the client has been disconnected from its scheduler for ANSWERS seconds."""
        if self.client.status == "running":
            self.answered = time.monotonic()
        elif time.monotonic() - self.answered > ANSWERS:
            raise UsageError(f"the Dask scheduler at {self.address} is gone")

    def _result(self, future: Any) -> Iterator[tuple[int, dict[str, Any]]]:
        _, shard = self.flying.pop(future.key)
        if future.status in ("cancelled", "lost"):  # the scheduler ended, or dropped the task
            if self.client.status != "running":
                raise UsageError(f"the Dask scheduler at {self.address} is gone")
            yield 0, death(shard, 0, "was forgotten by the scheduler", 0)
            return
        if future.status == "error":
            error = future.exception()
            # Dask gave it to several workers, and all of them died while judging it
            dead = type(error).__name__ == "KilledWorker"
            if not dead:
                raise UsageError(f"the Dask cluster cannot judge shards: {type(error).__name__}: {error}")
            yield 0, {**death(shard, 0, "ended Dask workers until Dask gave it up", 0), "final": True}
            return
        who, told = future.result()
        number = self.numbers.setdefault(who, len(self.numbers))
        self.stillborn = self.stillborn + 1 if any(record.get("stillborn") for record in told) else 0
        if self.stillborn >= FAILED_STARTS:
            raise UsageError(f"{FAILED_STARTS} workers in a row could not begin on the Dask cluster")
        yield from ((number, record) for record in told)

    def stop(self, *, now: bool = False) -> None:
        """Tell all workers to finish their case, or to cut it off now; no further shard is taken."""
        self.stopping = True
        with suppress(OSError, TimeoutError):
            self.client.run(stop_here, now)

    def close(self) -> None:
        """Disconnect from the cluster; shut it down if we started it."""
        with suppress(Exception):
            self.client.cancel([future for future, _ in self.flying.values()])
        for part in (self.client, self.cluster):
            with suppress(Exception):
                if part is not None:
                    part.close(timeout=5)


def _connected(address: str, workers: int) -> tuple[Any, Any]:
    """(the cluster if we started it, else None; a client of it)."""
    try:
        import dask
        import distributed
    except ImportError:
        raise UsageError("--dask needs a package: pip install 'convlaws[dask]'") from None
    for name in [*CHATTY, *(n for n in logging.root.manager.loggerDict if n.startswith(CHATTY))]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # a dying scheduler logs pages; we report one sentence
    try:
        if address != "local":
            return None, distributed.Client(address, timeout=ANSWERS)
        dask.config.set({"distributed.scheduler.allowed-failures": DEATHS})
        with deaf():  # its threads and processes ignore Ctrl-C, which the campaign handles; they would print tracebacks
            cluster = distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
        return cluster, distributed.Client(cluster)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(f"no Dask scheduler answers at {address}: {error}") from None
