"""The families that laws come in: one a module of `convlaws.laws`."""

from __future__ import annotations

from functools import cache

from convlaws.laws.registry import laws

_TITLES = {
    "agreement": "The definition",
    "algebra": "Algebra",
    "symmetry": "Symmetry",
    "structure": "Structure",
    "duality": "Duality",
    "composition": "Composition",
    "special": "Special values",
    "repetition": "Repetition",
}
UNKNOWN = "Other laws"  # of another version, or somebody's own


@cache
def _table() -> dict[str, str]:
    found = {law.name: law.claims.__module__.rpartition(".")[2] for law in laws()}
    return {name: _TITLES.get(room, room.capitalize()) for name, room in found.items()}


def family(law: str) -> str:
    """The title of the family of a law."""
    return _table().get(law, UNKNOWN)


def order(law: str) -> tuple[int, int]:
    """Where a law stands: families as in _TITLES, laws as they were registered, unknown ones last."""
    titles = list(dict.fromkeys([*_TITLES.values(), *_table().values()]))
    names = list(_table())
    return (titles.index(family(law)), names.index(law)) if law in _table() else (len(titles), 0)
