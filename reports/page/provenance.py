"""The page's provenance table: one column per summary record, 'not in this file' for missing values."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from convlaws.reports.sanitize import plain

MISSING = "not in this file"
_MOST = 500


def rows(summaries: Sequence[Mapping]) -> list[tuple[str, list[str]]]:
    """Return (what, its value in each run) rows."""
    told = [_told(s) for s in summaries]
    names = list(dict.fromkeys(name for t in told for name in t))
    return [(name, [t.get(name) or MISSING for t in told]) for name in names]


def _told(summary: Mapping) -> dict[str, str]:
    around = summary.get("environment")
    around = around if isinstance(around, Mapping) else {}
    versions = around.get("versions")
    versions = versions if isinstance(versions, Mapping) else {}
    return {
        "command": _command(summary.get("command")),
        "seed": plain(summary.get("seed", "")),
        "duration": _seconds(summary.get("seconds")),
        "judged cases": _count(summary.get("judged")),
        "ended early": _early(summary),
        **{plain(name): plain(version) for name, version in versions.items()},
        **{name: plain(around.get(name, ""), _MOST) for name in ("python", "system", "cpu", "cpus")},
        "vector extensions": plain(around.get("cpu_flags", ""), _MOST),
        **{plain(k): plain(v, _MOST) for k, v in around.items() if k not in _TOLD and not isinstance(v, Mapping | list)},
        "variables": _variables(around.get("variables")),
        "known findings that no longer show": _names(summary.get("known_not_shown")),
    }


_TOLD = ("versions", "variables", "python", "system", "cpu", "cpus", "cpu_flags")


def words(summary: Mapping) -> list[str]:
    """Return the words of a run's command, none if the file does not have it."""
    command = summary.get("command")
    return [str(word) for word in command] if isinstance(command, list) else []


def _command(command: object) -> str:
    return plain(shlex.join(["convlaws", *map(str, command)]), 4 * _MOST) if isinstance(command, list) else ""


def _seconds(seconds: object) -> str:
    return f"{seconds:,.0f} s" if isinstance(seconds, int | float) else ""


def _count(count: object) -> str:
    return f"{count:,}" if isinstance(count, int) else ""


def _early(summary: Mapping) -> str:
    lost = summary.get("lost") or []
    why = (
        ["interrupted"] * bool(summary.get("interrupted"))
        + ["killed, or still running"] * bool(summary.get("unfinished"))
        + [plain(x, _MOST) for x in lost if isinstance(lost, list)]
    )
    return "; ".join(why) or "no" if "interrupted" in summary else ""


def _variables(found: object) -> str:
    if not isinstance(found, Mapping):
        return ""
    return plain(" ".join(f"{k}={v}" for k, v in found.items()), _MOST) or "none that matters is set"


def _names(found: object) -> str:
    return (plain(", ".join(map(str, found)), _MOST) or "none") if isinstance(found, list) else ""
