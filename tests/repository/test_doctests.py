"""Every example in a docstring is run.

`pytest --doctest-modules harness` would import a second copy of the package under the folder's name.
"""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import convlaws

# these run a child's loop or the command line where they are imported as a program
PROGRAMS = {"convlaws.__main__"}
MODULES = sorted(
    {"convlaws"}
    | {m.name for m in pkgutil.walk_packages(convlaws.__path__, "convlaws.")}
    | {f"convlaws.{room}" for room in ("strategies", "reports")}
    | {m.name for room in ("strategies", "reports") for m in pkgutil.walk_packages(
        import_module(f"convlaws.{room}").__path__, f"convlaws.{room}.")}
)  # fmt: skip


@pytest.mark.parametrize("name", [m for m in MODULES if m not in PROGRAMS])
def test_the_examples_of_a_module_are_true(name):
    module = import_module(name)

    done = doctest.testmod(module)

    assert done.failed == 0


def test_there_are_examples_to_run():
    finder = doctest.DocTestFinder(exclude_empty=True)

    counts = [len(t.examples) for name in MODULES if name not in PROGRAMS for t in finder.find(import_module(name))]

    assert sum(counts) >= 10
