"""docs/findings: every known finding is in its table; each script stands alone, and runs to an end that it means."""

import ast
import os
import re
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from convlaws.known import load

DOCS = Path(__file__).parents[2] / "docs"
SCRIPTS = sorted((DOCS / "findings").glob("*.py"))
ENTRIES = {entry.id: entry for entry in load().entries}
ENGINES = {"torch", "jax", "onnx", "onnxruntime", "openvino", "cv2", "ncnn", "mlx", "MNN", "tensorflow", "iree"}


def imported(script: Path) -> set[str]:
    """The top-level packages that the script imports, here or in the text that it hands to a child."""
    found = set(re.findall(r"^import (\w+)", script.read_text(encoding="utf-8"), re.MULTILINE))
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def test_the_table_is_that_of_the_known_findings():
    maker = spec_from_file_location("findings_table", DOCS / "findings_table.py")
    module = module_from_spec(maker)
    maker.loader.exec_module(module)
    readme = (DOCS / "findings" / "README.md").read_text(encoding="utf-8")

    missing = [e.id for e in ENTRIES.values() if not any(e.id in row and e.lines[0] in row for row in readme.splitlines())]

    assert not missing
    assert readme == module.page(readme), "run: python docs/findings_table.py"


def test_there_are_scripts_and_each_is_named_after_a_known_finding():
    names = {script.stem.replace("_", "-") for script in SCRIPTS}

    assert len(names) > 30
    assert names - ENTRIES.keys() == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_needs_only_its_engine_and_numpy(script):
    needed = imported(script) - sys.stdlib_module_names

    assert needed & ENGINES
    assert needed <= ENGINES | {"numpy"}


def slow(script: Path) -> bool:
    """Whether it waits for what hangs, or compiles."""
    return "hangs" in script.stem or "inductor" in script.stem


@pytest.mark.parametrize(
    "script", [pytest.param(s, marks=[pytest.mark.long] * slow(s)) for s in SCRIPTS], ids=[script.stem for script in SCRIPTS]
)
def test_a_script_ends_as_it_means_to(script):
    if absent := sorted(name for name in imported(script) & ENGINES if find_spec(name) is None):
        pytest.skip(f"{' and '.join(absent)} not installed")

    ended = subprocess.run(
        [sys.executable, str(script)], check=False, capture_output=True, text=True, timeout=300, env=os.environ
    )

    assert ended.returncode in (0, 1, 77), ended.stderr[-2000:]
    assert "Traceback" not in ended.stderr, ended.stderr[-2000:]
    assert ("it should be" in ended.stdout or "they should" in ended.stdout) != (ended.returncode == 77), ended.stdout
