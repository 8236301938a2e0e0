"""Named problem lines that come with the package: layers of real networks, sweeps in one size, tails."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from importlib import resources

from convlaws.errors import UnknownName
from convlaws.problem.files import Named, parse_problems

_TIMES = re.compile(r" x(\d+)$")


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Return the names of the catalogues, in alphabetical order."""
    files = resources.files("convlaws.problem.catalogues").iterdir()
    return tuple(sorted(f.name.removesuffix(".txt") for f in files if f.name.endswith(".txt")))


def catalogue(name: str) -> list[Named]:
    """Return (name, problem) of each line; for a network, its distinct layers in the order of the forward pass.

    A layer that occurs n times in the network is called `the first of them xn`.

    Raises:
        UnknownName: there is no such catalogue; the message has all names.
    """
    return parse_problems(_lines(name), f"{name}.txt")


def says(name: str) -> str:
    """Return the description of a catalogue: its first line.

    >>> says("c3d")
    'C3D, 16 frames of 112x112: 3x3x3 throughout'
    """
    return _lines(name)[0].lstrip("# ")


def times(name: str) -> int:
    """Return how often a network has the layer of that name.

    >>> times("layer1.0.conv2 x3"), times("layer1.0.conv1")
    (3, 1)
    """
    match = _TIMES.search(name)
    return int(match[1]) if match else 1


def _lines(name: str) -> list[str]:
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
        meant = f"; near: {near[0]}" if near else ""
        raise UnknownName(f"no catalogue {name!r}{meant}; there are {', '.join(names())}")
    return resources.files("convlaws.problem.catalogues").joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines()
