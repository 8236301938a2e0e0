"""Who may import whom, and how large a file and a function may be: read from the code itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "convlaws": ROOT / "harness" / "convlaws",
    "convlaws.strategies": ROOT / "strategies",
    "convlaws.reports": ROOT / "reports",
}

# A room imports from the lines above its own, and from what stands before it in its own line.
ROOMS = [
    ["errors", "formats", "spec_text", "spec_rules", "spec", "fills", "problem", "layouts"],
    ["maps", "definition", "specials", "oracle", "magnitudes", "bounds", "contracts", "approx", "compare", "evidence"],
    [
        "features",
        "axes",
        "scope",
        "home",
        "request",
        "results",
        "census",
        "catalogue",
        "catalogues",
        "work",
        "machine",
        "sample",
        "timings",
        "accelerator",
        "environment",
        "isa",
        "at_level",
        "run_files",
        "shares",
        "simplest",
    ]
    + ["differences"],
    ["strategies"],
    ["methods", "engines", "operators", "mutants", "laws", "known", "reproducer_text", "reproducer"],
    ["interrupt", "sandbox", "remembering", "examine", "cells", "admitted", "environments", "targets", "timing", "rounds"],
    ["observations", "drawing", "level_bits", "allowance", "opening", "plan", "shrink", "search", "workers"],
    ["replay", "standing", "recheck", "releases", "console", "ranking", "junit", "sight", "reports", "campaign"],
    ["api", "pytest_plugin", "commands", "cli_defaults", "cli_options", "cli_mutants", "cli_reading", "cli", "__main__", ""],
]
RANK = {room: (level, place) for level, rooms in enumerate(ROOMS) for place, room in enumerate(rooms)}
STRANGERS = [  # pairs that the order alone would allow
    ("laws", "methods", "a law gets its method as an argument and cannot pick one"),
    ("laws", "engines", "a law gets its method as an argument and cannot pick one"),
    ("laws", "mutants", "a law gets its method as an argument and cannot pick one"),
    ("reports", "examine", "a report is made from a file, years later, without the methods"),
    ("reports", "search", "a report is made from a file, years later, without the methods"),
    ("reports", "sight", "a report is made from a file, years later, without the methods"),
]
HEAVY = {
    "torch",
    "scipy",
    "jax",
    "onnxruntime",
    "openvino",
    "cv2",
    "ncnn",
    "MNN",
    "tensorflow",
    "mlx",
    "numba",
    "triton",
    "iree",
    "tvm",
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 25


def sources():
    """(room, path, tree) of every module of the package."""
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            inner = package.removeprefix("convlaws").lstrip(".")
            room = inner or path.relative_to(folder).parts[0].removesuffix(".py").replace("__init__", "")
            yield room, path, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST):
    """(line, module) of every import, those within functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{a.name}" for a in node.names] if node.module == "convlaws" else [node.module]
            yield from ((node.lineno, name) for name in names)


def edges():
    """(importing room, imported room, where) of every import of ours."""
    for room, path, tree in sources():
        for line, module in imports(tree):
            if module.startswith("convlaws"):
                parts = module.split(".")
                yield room, parts[1] if len(parts) > 1 else "", f"{path.relative_to(ROOT)}:{line}"


def test_every_room_has_its_place():
    unknown = {room for room, _, _ in sources()} - RANK.keys()

    assert not unknown, f"no place in ROOMS for {unknown}"


def test_imports_point_down():
    wrong = [f"{w}: {a} imports {b}" for a, b, w in edges() if a != b and RANK[b] >= RANK[a]]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("one", "other", "why"), STRANGERS, ids=lambda v: v if " " not in v else "")
def test_strangers_do_not_know_each_other(one, other, why):
    wrong = [w for a, b, w in edges() if (a, b) == (one, other)]

    assert not wrong, f"{why}: {wrong}"


def test_the_oracle_sees_no_method():
    seen = {b for a, b, _ in edges() if a in ("maps", "definition", "specials", "oracle", "bounds", "contracts", "compare")}

    assert not seen & {"methods", "engines", "mutants", "sandbox"}


def top_level(tree: ast.Module):
    """Imports that run when the module is imported."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)


def test_heavy_libraries_are_imported_only_where_they_are_used():
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {module}"
        for room, path, tree in sources()
        for line, module in top_level(tree)
        if module.split(".")[0] in HEAVY
    ]

    assert not wrong, "\n".join(wrong)


def test_files_are_short():
    long = [
        f"{path.relative_to(ROOT)}: {count}"
        for _, path, _ in sources()
        if (count := len(path.read_text().splitlines())) > LONGEST_FILE
    ]

    assert not long, "\n".join(long)


def code_lines(function: ast.FunctionDef) -> int:
    """Lines of a function without its signature's docstring."""
    body = function.body
    first = body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno - first.lineno + 1) if has_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring


def test_functions_are_short():
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {code_lines(node)}"
        for _, path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and code_lines(node) > LONGEST_FUNCTION
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
