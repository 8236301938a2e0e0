"""CampaignPlan from the options of `convlaws campaign`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from convlaws import known
from convlaws.campaign import corpus
from convlaws.campaign.plan import CampaignPlan, read_plan
from convlaws.campaign.shared_lines import Shared
from convlaws.cli import settings
from convlaws.cli.check import NARROWING
from convlaws.errors import UsageError
from convlaws.laws import registry as laws
from convlaws.records import environment
from convlaws.targets.registry import KINDS, Method, rows
from convlaws.targets.resolve import resolve

DEFAULT_BUDGET = 600.0


def planned(targets: tuple[str, ...], o: dict[str, Any], shared: Shared | None) -> CampaignPlan:
    """The plan of a new campaign.

    Raises:
        UsageError: options that exclude each other, or an invalid target.
    """
    _check(targets, o)
    methods = resolve(targets, settings.calling(o))
    chosen = [law.name for law in (laws.find(o["laws"]) if o["laws"] else laws.laws())]
    versions = environment.facts()["versions"]
    kept = _kept([m.name for m in methods], chosen, o["since"], shared)
    return CampaignPlan(
        methods=tuple(m.name for m in methods),
        laws=tuple(chosen),
        narrowed={field: tuple(o[option]) for option, field in NARROWING.items() if o[option]},
        calling={name: o[name] or "" for name in ("signature", "arrays", "contract", "known_as")},
        seed=o["seed"],
        examples=o["examples"],
        budget=None if o["examples"] else (o["budget"] or DEFAULT_BUDGET),
        part=o["shard"],
        sandbox=not o["no_sandbox"],
        time_limit=o["time_limit"],
        memory_limit=o["memory_limit"] << 20,
        threads=o["threads"] or max(1, (os.cpu_count() or 1) // o["workers"]),
        versions=versions,
        changed=tuple(_changed(methods, o["since"], versions)),
        suspects=tuple(sorted({(law, method) for method, law, _ in kept})),
        kept=tuple(kept),
    )


def _check(targets: tuple[str, ...], o: dict[str, Any]) -> None:
    if not targets:
        raise UsageError("name what is to be judged: TARGET..., or --resume DIR")
    if o["budget"] and o["examples"]:
        raise UsageError("--budget and --examples exclude each other: one is a time, the other a number")
    known.load().check_names([m.name for m in rows(*KINDS, absent=True)], [law.name for law in laws.laws()])


def _kept(methods: list[str], chosen: list[str], since: Path | None, shared: Shared | None) -> list[corpus.Kept]:
    """The failing lines of an earlier campaign and of the database, for these methods and laws."""
    earlier = corpus.read(since / corpus.NAME) if since else []
    told = [*earlier, *(shared.load(methods, chosen) if shared else [])]
    return [line for line in dict.fromkeys(told) if line[0] in methods and line[1] in chosen]


def _changed(methods: list[Method], since: Path | None, versions: dict[str, str]) -> list[str]:
    """The methods whose engine version differs from that in an earlier campaign."""
    if since is None:
        return []
    before = read_plan(since).versions
    packages = {m.name: m.package.name if m.package else "convlaws" for m in methods}
    return [name for name, package in packages.items() if before.get(package) != versions.get(package)]


def check_versions(plan: CampaignPlan, folder: Path) -> None:
    """Raise UsageError if package versions changed since a campaign began, as its examples would mix versions."""
    now = environment.facts()["versions"]
    differ = [name for name in {**plan.versions, **now} if plan.versions.get(name) != now.get(name)]
    if differ:
        said = ", ".join(f"{n} {plan.versions.get(n, 'not there')} then, {now.get(n, 'not there')} now" for n in differ[:3])
        raise UsageError(f"{folder} was begun with {said}: begin another campaign, with --since {folder}")
