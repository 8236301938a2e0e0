"""The families of laws: one per module of `convlaws.laws`."""

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
UNKNOWN = "Other laws"  # from another version, or a user's own


@cache
def _table() -> dict[str, str]:
    rooms = {law.name: law.claims.__module__.rpartition(".")[2] for law in laws()}
    return {name: _TITLES.get(room, room.capitalize()) for name, room in rooms.items()}


def family(law: str) -> str:
    """Return the title of the family of a law."""
    return _table().get(law, UNKNOWN)


def order(law: str) -> tuple[int, int]:
    """Sort key of a law: families as in _TITLES, laws as they were registered, unknown ones last."""
    titles = list(dict.fromkeys([*_TITLES.values(), *_table().values()]))
    names = list(_table())
    return (titles.index(family(law)), names.index(law)) if law in _table() else (len(titles), 0)
