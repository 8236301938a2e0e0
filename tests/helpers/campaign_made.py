"""Plans of campaigns and records of shards, for tests."""

from __future__ import annotations

from convlaws.campaign.plan import CampaignPlan
from convlaws.campaign.shard import Shard


def plan(**how) -> CampaignPlan:
    return CampaignPlan(**{
        "methods": ("im2col", "torch-gemm"), "laws": ("homogeneous", "additive-in-x", "equals-the-definition"),
        "narrowed": {"ops": ("fprop", "dgrad")}, "calling": {"signature": "", "arrays": "", "contract": "", "known_as": ""},
        "seed": 0, "examples": None, "budget": 60.0, "part": (1, 1), "sandbox": True, "time_limit": 20.0,
        "memory_limit": 4 << 30, "threads": 1, "versions": {}, **how,
    })  # fmt: skip


def record_of(shard: Shard, seconds: float = 1.0, **more) -> dict:
    told = {"kind": "shard", "shard": shard.id, "lane": shard.lane, "stage": shard.stage, "op": shard.op, "seed": shard.seed}
    cells = [{"law": w, "method": m, "op": shard.op, "verdict": "kept", "examples": shard.examples} for w, m in shard.pairs]
    return {**told, "seconds": seconds, "complete": True, "judged": 9, "cells": cells, "spent": [], "coverage": {}, **more}
