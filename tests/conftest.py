"""Hypothesis profiles of convlaws' own tests: how many examples, and what is kept of a failure.

`dev` is the default, `ci` is loaded where CI is set, `nightly` is asked for with --hypothesis-profile=nightly
(Hypothesis' plugin loads what is asked for after this file). A test that settles its own number says so itself.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

KEPT = Path(__file__).parent.parent / ".hypothesis" / "examples"
# print_blob: a failure on another machine is repeated from its log
_COMMON = {"deadline": None, "print_blob": True, "database": DirectoryBasedExampleDatabase(KEPT)}

settings.register_profile("dev", max_examples=100, **_COMMON)
# other examples each time: a fixed list would be run once and never again tell anything
settings.register_profile("ci", max_examples=300, derandomize=False, **_COMMON)
settings.register_profile("nightly", max_examples=5000, derandomize=False, **_COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
