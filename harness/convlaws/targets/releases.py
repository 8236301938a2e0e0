"""Find the release of an engine in which a problem began, or ceased, to fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from convlaws.errors import UsageError

Shows = Callable[[str], bool | None]  # called with a version: True if the problem fails there; None if unknown


@dataclass(frozen=True)
class ReleaseChange:
    """Two releases between which the answer changed; `unknown` are those between them without an answer."""

    before: str
    after: str
    fails_after: bool
    unknown: tuple[str, ...] = ()


def between(releases: Sequence[str], first: str, last: str) -> list[str]:
    """Return the releases from `first` to `last`, both included, in order.

    Raises:
        UsageError: one of the two is not a release, or they are in the wrong order.
    """
    for wanted in (first, last):
        if wanted not in releases:
            newest = ", ".join(sorted(releases, key=Version)[-8:])
            raise UsageError(f"{wanted} is no release that pip can install here; the newest are {newest}")
    if Version(first) >= Version(last):
        raise UsageError(f"--from {first} is not older than --to {last}")
    return [r for r in sorted(releases, key=Version) if Version(first) <= Version(r) <= Version(last)]


def bisect(releases: Sequence[str], shows: Shows) -> ReleaseChange | None:
    """Return the change between the first and the last of `releases`; None if both give the same answer.

    Bisects, assuming a single change; releases without an answer are skipped.

    Raises:
        UsageError: the first or the last has no answer.
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
