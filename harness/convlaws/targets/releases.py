"""Releases: in which version of an engine a problem began, or ceased, to fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from convlaws.errors import UsageError

Shows = Callable[[str], bool | None]  # of a version: whether the problem fails there; None if it cannot be told


@dataclass(frozen=True)
class ReleaseChange:
    """Two releases between which the answer changed; `unknown` are those between them that cannot be told."""

    before: str
    after: str
    fails_after: bool
    unknown: tuple[str, ...] = ()


def between(releases: Sequence[str], first: str, last: str) -> list[str]:
    """The releases from `first` to `last`, both included, in order.

    Raises:
        UsageError: one of the two is no release, or they are in the wrong order.
    """
    for wanted in (first, last):
        if wanted not in releases:
            newest = ", ".join(sorted(releases, key=Version)[-8:])
            raise UsageError(f"{wanted} is no release that pip can install here; the newest are {newest}")
    if Version(first) >= Version(last):
        raise UsageError(f"--from {first} is not older than --to {last}")
    return [r for r in sorted(releases, key=Version) if Version(first) <= Version(r) <= Version(last)]


def bisect(releases: Sequence[str], shows: Shows) -> ReleaseChange | None:
    """The change between the first and the last of `releases`; None if both answer alike.

    Halves the range, as if there were one change; releases that cannot be told are stepped over.

    Raises:
        UsageError: the first or the last cannot be told.
    """
    low, high = 0, len(releases) - 1
    ends = [shows(releases[at]) for at in (low, high)]
    for at, answer in zip((low, high), ends, strict=True):
        if answer is None:
            raise UsageError(f"nothing can be said of {releases[at]}: choose another release to begin with")
    if ends[0] == ends[1]:
        return None
    unknown: set[int] = set()
    while open_to := [at for at in range(low + 1, high) if at not in unknown]:
        middle = min(open_to, key=lambda at: abs(2 * at - low - high))
        answer = shows(releases[middle])
        if answer is None:
            unknown.add(middle)
        elif answer == ends[0]:
            low = middle
        else:
            high = middle
    between_them = tuple(releases[at] for at in sorted(unknown) if low < at < high)
    return ReleaseChange(releases[low], releases[high], bool(ends[1]), between_them)
