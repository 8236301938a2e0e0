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

HELPERS = Path(__file__).parent / "helpers"
KEPT = Path(__file__).parents[1] / ".hypothesis" / "examples"
# print_blob: a failure on another machine is repeated from its log
_COMMON = {"deadline": None, "print_blob": True, "database": DirectoryBasedExampleDatabase(KEPT)}

settings.register_profile("dev", max_examples=100, **_COMMON)
# other examples each time: a fixed list would be run once and never again tell anything
settings.register_profile("ci", max_examples=300, derandomize=False, **_COMMON)
settings.register_profile("nightly", max_examples=5000, derandomize=False, **_COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# processes that a test starts find `scripted.functions`; rows of the scripted engine need its site beside (see scripts.py)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HELPERS), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture
def stand_ins(monkeypatch):
    """In this process, the convolutions of torch and scipy.signal are the tests' own."""
    from scripted.stand_ins import stand_ins

    for module, name, function in stand_ins():
        monkeypatch.setattr(module, name, function)


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    """Sets the script of the scripted engine, and the level of the processor; gives its row, which this process knows then."""
    import scripts

    from convlaws.targets import registry

    monkeypatch.syspath_prepend(str(scripts.SITE))
    rows = {row.name: row for row in scripts.scripted_rows()}
    for name, row in rows.items():
        monkeypatch.setitem(registry._TABLE, name, row)

    def told(*rules, level="", row="scripted"):
        for name, value in (scripts.script(tmp_path, *rules) | (scripts.processor(tmp_path, level) if level else {})).items():
            monkeypatch.setenv(name, value)
        if level:  # the harness has that processor too, and no restraint but what a test sets afterwards
            for name in scripts.RESTRAINTS:
                monkeypatch.delenv(name, raising=False)
        return rows[row]

    return told


@pytest.fixture
def one_sandbox():
    """Searches of this process share the usual sandbox (see commands.py)."""
    import commands

    with commands.one_sandbox():
        yield
