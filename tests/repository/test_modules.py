"""What a module may cost to import, how long a file and a function may be, and that the order of rows is one."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks is a folder of the checkout, not of the package

from benchmarks.shape import functions, modules  # noqa: E402

from convlaws.targets.registry import rows  # noqa: E402

ENGINES_OF_OTHERS = rows("engine", "compiled", absent=True)
HEAVY = {"torch", "scipy", "numba", "triton", *(row.package.module.split(".")[0] for row in ENGINES_OF_OTHERS if row.package)}
LONGEST_FILE, LONGEST_FUNCTION = 400, 25


def imports(tree: ast.AST):
    """(line, module) of every import, those within functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{a.name}" for a in node.names] if node.module == "convlaws" else [node.module]
            yield from ((node.lineno, name) for name in names)


def top_level(tree: ast.Module):
    """Imports that run when the module is imported."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)


def test_heavy_libraries_are_imported_only_where_they_are_used():
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {module}"
        for path, tree in modules()
        for line, module in top_level(tree)
        if module.split(".")[0] in HEAVY
    ]

    assert not wrong, "\n".join(wrong)


def test_files_are_short():
    long = [
        f"{path.relative_to(ROOT)}: {count}"
        for path, _ in modules()
        if (count := len(path.read_text().splitlines())) > LONGEST_FILE
    ]

    assert not long, "\n".join(long)


def test_functions_are_short():
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {count}"
        for path, tree in modules()
        for node, count in functions(tree)
        if count > LONGEST_FUNCTION
    ]

    assert not long, "\n".join(long)


def test_help_imports_neither_numpy_nor_torch():
    code = (
        "import sys\nfrom convlaws.cli.app import cli\n"
        "try: cli(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'numpy', 'hypothesis', 'scipy') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_the_plugin_imports_only_pytest_and_the_standard_library():
    code = (
        "import sys\nimport convlaws.pytest_plugin\n"
        "print([m for m in ('torch', 'numpy', 'hypothesis', 'scipy', 'rich') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_laws_and_rows_stand_in_one_order_whatever_was_imported_first():
    """What is drawn depends on it: a seed would mean something else in a process that imported a law first."""

    def listed(first):
        names = "print(*(row.name for row in (*laws(), *rows(absent=True))))"
        code = f"import {first}; from convlaws.laws.registry import laws; from convlaws.targets.registry import rows; {names}"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    plain = listed("convlaws")

    for first in ("convlaws.laws.repetition", "convlaws.methods.winograd", "convlaws.engines.torch_cuda"):
        assert listed(first) == plain
