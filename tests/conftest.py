"""Hypothesis profiles of convlaws' own tests: how many examples, and what is kept of a failure.

`dev` is the default, `ci` is loaded where CI is set, `nightly` is asked for with --hypothesis-profile=nightly
(Hypothesis' plugin loads what is asked for after this file). A test that settles its own number says so itself.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

# before NumPy and torch read them: their threads would spin for the cores that the tests in the other processes need.
# A test about threads sets their number itself.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

KEPT = Path(__file__).parent.parent / ".hypothesis" / "examples"
# print_blob: a failure on another machine is repeated from its log
_COMMON = {"deadline": None, "print_blob": True, "database": DirectoryBasedExampleDatabase(KEPT)}

settings.register_profile("dev", max_examples=100, **_COMMON)
# other examples each time: a fixed list would be run once and never again tell anything
settings.register_profile("ci", max_examples=300, derandomize=False, **_COMMON)
settings.register_profile("nightly", max_examples=5000, derandomize=False, **_COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def one_sandbox():
    """Searches of this process share the usual sandbox (see commands.py)."""
    import commands

    with commands.one_sandbox():
        yield
