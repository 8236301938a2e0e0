"""Who may import whom: each folder from the layers below its own, imports within functions too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = {"": ROOT / "harness" / "convlaws", "strategies": ROOT / "strategies", "reports": ROOT / "reports"}

# from the ground up; `convlaws` is the package's own __init__
LAYERS = (
    ("errors",),
    ("problem",),
    ("oracle", "records", "sandbox"),
    ("targets", "laws", "strategies"),
    ("methods", "engines", "mutants", "known"),
    ("judge",),
    ("search", "timing", "reports"),
    ("campaign", "mutation"),
    ("cli", "api", "operators", "pytest_plugin", "__main__", "convlaws"),
)
BESIDE = {  # who in a layer may import whom in the same one
    ("engines", "methods"),
    ("mutants", "methods"),
    ("pytest_plugin", "api"),
    ("__main__", "cli"),
}
ONLY = {  # folders that import less than their layer would let them, and why
    "reports": ({"errors", "problem", "oracle", "records", "laws"}, "a report is made from a file, years later"),
    "oracle": ({"errors", "problem"}, "the right answer shares no code with what it judges"),
    "records": ({"errors", "problem"}, "what is on file runs nothing"),
    "sandbox": ({"errors", "problem"}, "a call in a child knows requests, not methods"),
    "laws": ({"errors", "problem", "oracle"}, "a law cannot pick its method"),
}
LAYER = {folder: number for number, layer in enumerate(LAYERS) for folder in layer}


def modules():
    """(folder, path) of every module of the package."""
    for folder, place in PLACES.items():
        for path in sorted(place.rglob("*.py")):
            first = path.relative_to(place).parts[0].removesuffix(".py").replace("__init__", "convlaws")
            yield folder or first, path


def imported(path: Path):
    """(line, folder) of every import of ours in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{a.name}" for a in node.names] if node.module == "convlaws" else [node.module]
        yield from ((node.lineno, name.split(".")[1]) for name in names if name.startswith("convlaws."))


def imports():
    """(importing folder, imported folder, where) of every import of ours from one folder into another."""
    for folder, path in modules():
        yield from ((folder, other, f"{path.relative_to(ROOT)}:{line}") for line, other in imported(path) if other != folder)


def charter(folder: str) -> str:
    """The first line of a folder's __init__.py: what it is for."""
    place = PLACES.get(folder) or PLACES[""] / folder
    return (ast.get_docstring(ast.parse((place / "__init__.py").read_text(encoding="utf-8"))) or "").partition("\n")[0]


FOLDERS = sorted({folder for folder, path in modules() if path.name == "__init__.py"} - {"convlaws"})


def test_every_module_is_in_a_layer():
    assert {folder for folder, _ in modules()} == LAYER.keys()


def test_imports_point_down():
    wrong = [
        f"{where}: {one} imports {other}"
        for one, other, where in imports()
        if LAYER[other] >= LAYER[one] and (one, other) not in BESIDE
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ONLY)
def test_some_folders_import_less(folder):
    allowed, why = ONLY[folder]
    wrong = [f"{where}: {one} imports {other}" for one, other, where in imports() if one == folder and other not in allowed]

    assert not wrong, f"{why}: {wrong}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_says_what_it_is_for_and_the_tree_in_contributing_says_the_same(folder):
    tree = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

    assert charter(folder).endswith(".")
    assert charter(folder) in tree, f"CONTRIBUTING.md has no line with: {charter(folder)}"
