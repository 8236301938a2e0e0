"""A worker process: reads shards as JSON lines from standard input, and writes its records to standard output.

    {"do": "plan", "plan": {...}, "number": 0, "beat": FD, "observations": FOLDER, "cores": [...]}
    {"do": "shard", "shard": {...}}
       {"do": "stop", "now": false}             finish the case, or cut it off now, and send the records so far

It writes the records that go into the campaign's files: its header, failures as they are found, the
shard. End of input means that the campaign has ended: the process and its children exit at once.
"""

from __future__ import annotations

import json
import mmap
import os
import queue
import signal
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from convlaws import known
from convlaws.campaign.memory import resident
from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.run_shard import judge
from convlaws.campaign.shard import Shard, compact
from convlaws.errors import HarnessError
from convlaws.laws import registry as laws
from convlaws.records import environment
from convlaws.records.finding import SCHEMA, dump
from convlaws.sandbox.interrupt import Interrupted, cut_off, deferred_sigint
from convlaws.sandbox.settings import running
from convlaws.search.observations import recording
from convlaws.targets.registry import ON_GPU

MOST_MEMORY = 2 << 30  # resident bytes of this process, after which it is replaced by a fresh one between two shards
ENDED = 3  # exit status if the campaign's process has ended


class Line:
    """The connection to the campaign: incoming messages, the stop flag, and the output stream."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # stray prints must not be read as records
        self.asked: queue.Queue[dict[str, Any]] = queue.Queue()
        self.stopping = False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if message["do"] == "stop":
                self.stopping = True
                if message["now"]:
                    cut_off()
            self.asked.put(message)
        os._exit(ENDED)  # the campaign's process has ended

    def tell(self, kind: str, **record: Any) -> None:
        """Send a record."""
        try:
            self.out.write(f"{dump({'kind': kind, 'schema': SCHEMA, **record})}\n")
            self.out.flush()
        except OSError:
            os._exit(ENDED)


def _beating(fd: int, line: Line) -> Callable[[int], bool]:
    """Return a function that writes the number of the case in flight to shared memory, where it outlives this process."""
    page = mmap.mmap(fd, 8)

    def beat(number: int) -> bool:
        struct.pack_into("Q", page, 0, number)
        return line.stopping

    return beat


def _header(plan: CampaignPlan, number: int) -> dict[str, Any]:
    chosen = laws.find(plan.laws)
    told = {law.name: {"says": law.says, "family": law.family, "specific": law.specific} for law in chosen}
    gpu = any(m.kind in ON_GPU for m in plan.resolved())
    return {"worker": number, "campaign": plan.id, "environment": environment.facts(gpu=gpu), "laws": told}


def main() -> None:
    """Judge shards until no more come."""
    with deferred_sigint():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the campaign handles SIGINT and tells the workers to stop
        with suppress(Interrupted):  # raised when there is nothing to send
            _work(Line())


def _work(line: Line) -> None:
    hello = line.asked.get()
    if hello["cores"]:
        os.sched_setaffinity(0, hello["cores"])  # children inherit it: libraries that read no variable count these cores
    try:
        plan = CampaignPlan.of(hello["plan"])
        beat = _beating(hello["beat"], line)
        line.tell("worker", **_header(plan, hello["number"]))
        folder = Path(hello["observations"]) if hello["observations"] else None
        setting = replace(plan.setting, observations=folder)
        with running(setting) as runner, recording(folder, hello["number"]):
            _serve(plan, runner, line, beat)
    except HarnessError as error:
        line.tell("error", message=str(error))


def _serve(plan: CampaignPlan, runner: Any, line: Line, beat: Callable[[int], bool]) -> None:
    ledger = known.load()
    while (message := line.asked.get())["do"] == "shard":
        shard = Shard.of(message["shard"])
        beat(0)

        def tell(event: dict, shard: Shard = shard) -> None:
            line.tell("failures", shard=shard.id, cells=[compact(f) for f in event["failures"]])

        try:
            line.tell(**judge(plan, shard, runner, ledger, tell, beat), resident=resident())
        except HarnessError as error:
            line.tell("refused", shard=shard.id, message=str(error))
        if resident() > MOST_MEMORY:
            return


if __name__ == "__main__":
    main()
