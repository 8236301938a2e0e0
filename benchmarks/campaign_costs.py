"""Costs of a campaign beside judging: a shard, a record, the plan, the scheduler. Run as a script, it prints a table.

    python benchmarks/campaign_costs.py [--workers-ratio]

`--workers-ratio` also runs the same campaign with one worker and with two, which takes minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

EIGHT = ("im2col", "unfold", "windows", "scatter", "sparse-csr", "fft", "torch-onednn", "torch-native")
MANY = 200  # records that are written and summed
WORKERS = 1000  # workers of a plan that is not run


def _plan(methods: tuple[str, ...], laws: tuple[str, ...], **how):
    from convlaws.campaign.plan import CampaignPlan

    told = {
        "calling": {"signature": "", "arrays": "", "contract": "", "known_as": ""},
        "seed": 0,
        "examples": None,
        "budget": 60.0,
    }
    limits = {"sandbox": True, "time_limit": 20.0, "memory_limit": 4 << 30, "threads": 1, "versions": {}}
    return CampaignPlan(methods=methods, laws=laws, narrowed={}, part=(1, 1), **{**told, **limits, **how})


def _clocked(work, times: int = 5, clock=time.process_time) -> float:
    """Return the median seconds of a call: the processor time of this process, unless `clock` is another clock."""
    taken = []
    for _ in range(times):
        began = clock()
        work()
        taken.append(clock() - began)
    return median(taken)


def shard_costs() -> dict[str, float]:
    """Return the costs of a shard of six laws and eight methods, and of a minimal shard, which is the cost of starting one."""
    from dataclasses import replace

    from convlaws import known
    from convlaws.campaign.run_shard import judge
    from convlaws.campaign.stage_totals import Evidence
    from convlaws.campaign.stages import lanes, stage
    from convlaws.laws import registry as laws
    from convlaws.sandbox.sandbox import Sandbox

    plan = _plan(EIGHT, tuple(law.name for law in laws.laws()))
    laid = _clocked(lambda: lanes(plan), 3)
    lane = lanes(plan)[0]
    shards = stage(plan, lane, 0, Evidence())
    whole, ledger = next(s for s in shards if s.op == "fprop"), known.load()
    least = replace(whole, examples=1, cells=((whole.cells[0][0], (EIGHT[0],)),))
    with Sandbox() as box:
        records = []

        def judged(shard):
            records.append(judge(plan, shard, box, ledger, lambda event: None, lambda case: False))

        judged(whole)  # afterwards the fork server has its libraries
        begin = _clocked(lambda: judged(least), clock=time.perf_counter)
        seconds = _clocked(lambda: judged(replace(whole, seed=whole.seed + len(records))), 5, time.perf_counter)
    text = json.dumps(records[0])
    return {
        "lanes and jobs of 8 methods and all laws, s": laid,
        "shards of the first stage": len(shards),
        "a shard of 20 examples, its cells": len(whole.pairs),
        "its cases": records[0]["judged"],
        "it takes, s": seconds,
        "of that, before the first case of a shard, s": begin,
        "its record, bytes": len(text),
        "of it a (method, law, op), bytes": len(text) / max(len(records[0]["cells"]), 1),
        **record_costs(plan, lane, {**records[0], "seconds": seconds}),  # the first took longer, as it loaded everything
    }


def record_costs(plan, lane, record: dict) -> dict[str, float]:
    """Return the costs of the campaign's own work on a record: write it, sum it up, choose the next shard."""
    from convlaws.campaign.records import RecordFile
    from convlaws.campaign.schedule import Schedule
    from convlaws.campaign.shard import Shard
    from convlaws.campaign.stage_totals import Evidence
    from convlaws.campaign.stages import stage
    from convlaws.campaign.totals import Totals

    header = {"environment": {"id": "here"}, "laws": {}}
    totals, evidence, schedule = Totals(), Evidence(), Schedule(plan, [lane])
    evidence.see(record)
    with tempfile.TemporaryDirectory() as folder:
        file = RecordFile(Path(folder) / "worker-0.jsonl")
        lines = [{"schema": 1, **record, "shard": f"{n}"} for n in range(MANY)]
        write = _clocked(lambda: [file.append(line) for line in lines], 3) / MANY
        synced = _clocked(lambda: file.append(lines[0], sync=True), 9, time.perf_counter)
        file.close()
    text = json.dumps(record)
    read = _clocked(lambda: json.loads(text), 9)
    add = _clocked(lambda: [totals.add(line, header) for line in lines], 3) / MANY
    shards = stage(plan, lane, 6, evidence)
    planned = _clocked(lambda: stage(plan, lane, 6, evidence), 3) / max(len(shards), 1)
    give = _clocked(lambda: json.dumps(Shard.of(shards[0].to_record()).to_record()), 9)

    def one() -> None:
        shard = schedule.next()
        assert shard is not None
        schedule.finish({**record, "shard": shard.id, "lane": shard.lane, "stage": shard.stage, "seconds": 1.0})

    step = _clocked(lambda: [one() for _ in range(20)], 5) / 20
    busy = read + write + add + step + give
    return {
        "to write a record, s": write,
        "to write one and wait for the disk, s": synced,
        "to read one from a worker, s": read,
        "to add one up, s": add,
        "to plan a shard, s": planned,
        "to choose one, and note that it is done, s": step,
        "to give one, s": give,
        "the campaign's own time a shard, s": busy,
        "workers that one campaign can serve, at 20 examples a shard": record["seconds"] / busy,
        "the same at 60 examples a shard": 3 * record["seconds"] / busy,
    }


def ratio() -> dict[str, float]:
    """Return the cases per second of the same campaign with one worker and with two."""
    found = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            words = (*EIGHT, "--examples", "60", "--dtype", "float32", "--law", "*-another-order", "--law", "additive-*")
            how = ("--workers", str(workers), "--threads", "1", "-o", folder)
            command = [sys.executable, "-m", "convlaws", "campaign", *words, *how]
            subprocess.run(command, check=False, capture_output=True)
            summary = json.loads((Path(folder) / "findings.jsonl").read_text().splitlines()[-1])
            found[f"cases a second, {workers} workers"] = summary["judged"] / summary["seconds"]
    one, two = found.values()
    return {**found, "ratio": two / one}


if __name__ == "__main__":
    costs = shard_costs() | (ratio() if "--workers-ratio" in sys.argv else {})
    for name, value in costs.items():
        print(f"{name:65} {value:12,.6f}" if value < 1 else f"{name:65} {value:12,.1f}")
