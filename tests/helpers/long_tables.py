"""A long table in two: `make test` runs a slice of it, `make test-all` the rest."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def sliced(table: Iterable, kept: Iterable) -> list:
    """The table's entries as parameters: those that are not kept are marked long.

    Raises:
        AssertionError: something is kept that the table has not.
    """
    table, kept = list(table), set(kept)
    assert kept <= set(table), f"not in the table: {kept - set(table)}"
    rows = [(entry, entry if isinstance(entry, tuple) else (entry,)) for entry in table]
    return [pytest.param(*values, marks=() if entry in kept else pytest.mark.long) for entry, values in rows]
