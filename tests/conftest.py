"""Hypothesis profiles of convlaws' own tests (number of examples, storage of failures) and shared fixtures.

`dev` is the default, `ci` is loaded where CI is set, `nightly` is selected with --hypothesis-profile=nightly
(Hypothesis' plugin loads the selected profile after this file). A test with a number of its own sets it itself.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

# set before NumPy and torch read them: their threads would spin on the cores that tests in other processes need.
# A test about threads sets their number itself.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HELPERS = Path(__file__).parent / "helpers"
KEPT = Path(__file__).parents[1] / ".hypothesis" / "examples"
# print_blob: a failure on another machine is repeated from its log
_COMMON = {"deadline": None, "print_blob": True, "database": DirectoryBasedExampleDatabase(KEPT)}

settings.register_profile("dev", max_examples=100, **_COMMON)
# other examples each time: a fixed list would find nothing new after its first run
settings.register_profile("ci", max_examples=300, derandomize=False, **_COMMON)
settings.register_profile("nightly", max_examples=5000, derandomize=False, **_COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# processes that a test starts find `scripted.functions`; rows of the scripted engine need its site too (see scripts.py)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HELPERS), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture
def stand_ins(monkeypatch):
    """Replace the convolutions of torch and scipy.signal in this process by the tests' own."""
    from scripted.stand_ins import stand_ins

    for module, name, function in stand_ins():
        monkeypatch.setattr(module, name, function)


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    """Return a function that sets the scripted engine's script and the processor's level, and returns the engine's row."""
    import scripts

    from convlaws.targets import registry

    monkeypatch.syspath_prepend(str(scripts.SITE))
    rows = {row.name: row for row in scripts.scripted_rows()}
    for name, row in rows.items():
        monkeypatch.setitem(registry._TABLE, name, row)

    def told(*rules, level="", row="scripted"):
        for name, value in (scripts.script(tmp_path, *rules) | (scripts.processor(tmp_path, level) if level else {})).items():
            monkeypatch.setenv(name, value)
        if level:  # for the harness too, and with no limit on the level but what a test sets afterwards
            for name in scripts.RESTRAINTS:
                monkeypatch.delenv(name, raising=False)
        return rows[row]

    return told


@pytest.fixture
def one_sandbox():
    """Let the searches of this process share the usual sandbox (see commands.py)."""
    import commands

    with commands.one_sandbox():
        yield
