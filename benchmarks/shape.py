"""Figures on the code's structure: files and folders that one case passes through, and sizes of functions; `make shape`.

The case is `im2col` under the definition, judged in this process after all imports and a first case, which fills the caches.
A move is a call from a module of ours into one of another folder (or file), or the return from it to a third.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import quantiles

from convlaws.judge.replay import Judge
from convlaws.laws.registry import find
from convlaws.problem.problem import Problem
from convlaws.sandbox.sandbox import InProcess
from convlaws.targets.registry import get

ROOT = Path(__file__).parents[1]
PLACES = (ROOT / "harness" / "convlaws", ROOT / "strategies", ROOT / "reports")
LINE = "n2c4k6_x5x5_r3x3_s1x1_p1x1_d1x1_g2_b fprop float32 contiguous integers seed=0"


def entered() -> list[Path]:
    """Return the files of ours whose functions the case calls, one entry per call, in order."""
    judge, law, method, problem = Judge(InProcess()), find(["equals-the-definition"])[0], get("im2col"), Problem.parse(LINE)
    judge(method, law, problem)
    calls: list[Path] = []

    def note(frame, event, _):
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if any(path.is_relative_to(place) for place in PLACES):
                calls.append(path)

    sys.setprofile(note)
    try:
        judge(method, law, Problem.parse(LINE))
    finally:
        sys.setprofile(None)
    return calls


def moves(places: list[Path]) -> int:
    """Return how often a call is in another file or folder than the call before it."""
    return sum(one != other for one, other in pairwise(places))


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Yield the path and the tree of each module of the package."""
    for place in PLACES:
        for path in sorted(place.rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, int]]:
    """Yield each function of a module and the number of its lines, its docstring left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            docstring = node.body[0] if ast.get_docstring(node) is not None else None
            said = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
            yield node, node.end_lineno - node.lineno + 1 - said


def main() -> None:
    """Print the figures."""
    calls = entered()
    folders = [path.parent for path in calls]
    lines = [count for _, tree in modules() for _, count in functions(tree)]
    middle, most = quantiles(lines, n=10)[4], quantiles(lines, n=10)[8]
    root = [p for p in PLACES[0].iterdir() if p.suffix == ".py"]
    print(f"one case: {len(calls)} calls, {len(set(calls))} files with {moves(calls)} moves between them,", end=" ")
    print(f"{len(set(folders))} folders with {moves(folders)} moves between them")
    print(f"the package: {len(root)} files at its root, {len(lines)} functions,", end=" ")
    print(f"half of them of at most {middle:.0f} lines, nine in ten of at most {most:.0f}")


if __name__ == "__main__":
    main()
