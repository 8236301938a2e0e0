"""A hash that is computed once: problems, specs and scopes are keys of many tables, and have a dozen fields each."""

from __future__ import annotations

from typing import Any


def kept_hash(self: Any) -> int:
    """Return the hash of a frozen dataclass's fields; kept in the object."""
    kept = vars(self)
    if "_hash" not in kept:
        kept["_hash"] = hash(tuple(kept[name] for name in self.__dataclass_fields__))
    return kept["_hash"]


def fields_only(self: Any) -> dict[str, Any]:
    """Return what is pickled: the fields, not what is kept beside them, as hashes of text differ between processes."""
    return {name: vars(self)[name] for name in self.__dataclass_fields__}
