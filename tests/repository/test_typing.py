"""A type checker finds the modules of the package as somebody has them who installed it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("mypy")

ASKED = """
from convlaws.problem.spec import ConvSpec
from convlaws.reports.console import table
from convlaws.strategies.problems import problems

reveal_type(ConvSpec(extent=(1,), kernel=(1,)).ndim)
"""


@pytest.mark.long
def test_every_part_of_the_package_is_found_and_has_its_types(tmp_path):
    (tmp_path / "mine.py").write_text(ASKED)

    command = [sys.executable, "-m", "mypy", "--no-incremental", "--ignore-missing-imports", "mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert 'Revealed type is "int"' in done.stdout or 'Revealed type is "builtins.int"' in done.stdout, done.stdout
    assert 'module named "convlaws' not in done.stdout
