"""Long tables of parameters: `make test` runs a slice of one, `make test-all` the rest."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def sliced(table: Iterable, kept: Iterable) -> list:
    """Return the table's entries as parameters: those that are not in `kept` are marked long.

    Raises:
        AssertionError: an entry of `kept` is not in the table.
    """
    table, kept = list(table), set(kept)
    assert kept <= set(table), f"not in the table: {kept - set(table)}"
    rows = [(entry, entry if isinstance(entry, tuple) else (entry,)) for entry in table]
    return [pytest.param(*values, marks=() if entry in kept else pytest.mark.long) for entry, values in rows]
