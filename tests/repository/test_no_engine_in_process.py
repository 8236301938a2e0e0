"""Tests judge the harness, not the engines: read from the tests' own code.

No test calls a released engine in its own process: it would be killed by it, or would assert what that engine does on the
processor at hand. An engine that a test needs is the scripted one, an adapter gets `stand_ins`, real ones run in the sandbox.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from convlaws.targets.registry import rows

TESTS = Path(__file__).parents[1]
ALLOWED = {  # file: why it may
    "oracle/test_oracle.py": "the oracle is compared with torch, in float64 on contiguous memory",
    "oracle/test_oracle_beyond.py": "the oracle is compared with torch and SciPy, in float64 on contiguous memory",
    "methods/test_methods_forms.py": "forms of ours are compared with torch, in full width on contiguous memory",
    "problem/test_spec.py": "torch is asked for shapes only, on its device of no data",
    "helpers/nets.py": "layers are looked at on no data",
    "cli/test_compare_command.py": "layers are looked at on no data",
    "repository/test_no_engine_in_process.py": "it shows what is refused",
}
LIBRARIES = ("torch", "scipy", "jax", "onnx", "onnxruntime", "openvino", "cv2", "ncnn", "mlx", "MNN", "tensorflow", "iree", "tvm")
CONVOLUTIONS = {f"conv{turned}{n}d" for turned in ("", "_transpose") for n in (1, 2, 3)}
CONVOLUTIONS |= {f"Conv{turned}{n}d" for turned in ("", "Transpose") for n in (1, 2, 3)}
CONVOLUTIONS |= {"convolution", "convolve", "convolve2d", "fftconvolve", "oaconvolve", "correlate", "correlate2d"}
CONVOLUTIONS |= {"conv_general", "conv_general_dilated", "conv_general_dilated_local"}
NAMES = "|".join(sorted(CONVOLUTIONS, key=len, reverse=True))
OWNERS = rf"(?:{'|'.join(LIBRARIES)}|F|nn|functional|signal|lax|mx)"
IMPORTED = rf"\bfrom (?:{'|'.join(LIBRARIES)})\b[\w.]* import [^\n]*\b(?:{NAMES})\b"
IN_TEXT = re.compile(rf"\b{OWNERS}(?:\.\w+)*[.:](?:{NAMES})\b|{IMPORTED}")
IN_PROCESS = {"InProcess", "open_target", "open_row", "measured", "compute", "differentiable", "linear_operator"}
ENGINES = {row.name for row in rows("engine", "compiled", absent=True)}


def roots(tree: ast.AST) -> set[str]:
    """The top-level packages that a file imports anywhere, by pytest too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("importorskip", "import_module") and node.args:
            found |= {str(a.value).partition(".")[0] for a in node.args if isinstance(a, ast.Constant)}
    return found


def docstrings(tree: ast.AST) -> set[int]:
    """The constants that are docstrings, by identity."""
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)]
    return {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}


def convolves(node: ast.AST) -> bool:
    """Whether it names a convolution of a module: as an attribute, or one that is looked up there."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
        return ast.unparse(node.args[0]).rpartition(".")[2] in ("functional", "F", "signal", "lax")
    return isinstance(node, ast.Attribute) and node.attr in CONVOLUTIONS


def calls_of_engines(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what) of each convolution of a library that the file names, in its code or in code that it writes down."""
    apart, loaded = docstrings(tree), roots(tree) & set(LIBRARIES)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            if hit := IN_TEXT.search(node.value):
                yield node.lineno, hit.group()
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in LIBRARIES:
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name in CONVOLUTIONS)
        elif loaded and convolves(node):
            yield node.lineno, ast.unparse(node)


def rows_in_process(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, row) of each engine that is named where rows are run in the test's own process, without stand-ins."""
    names = {getattr(n, part) for n in ast.walk(tree) for part in ("id", "attr", "arg") if hasattr(n, part)}
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    if not names & IN_PROCESS or "stand_ins" in names or any(n.value == "stand_ins" for n in texts):
        return
    yield from ((n.lineno, n.value) for n in texts if n.value in ENGINES)
    if any(isinstance(n, ast.ImportFrom) and n.module == "convlaws.strategies.covering_array" for n in ast.walk(tree)):
        return  # its rows are those of the covering array
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "rows":
            kinds = [a.value for a in node.args if isinstance(a, ast.Constant)]
            if "engine" in kinds or not node.args:
                yield node.lineno, ast.unparse(node)


def refused(source: str) -> list[tuple[int, str]]:
    """What is against the rule in a file of tests."""
    tree = ast.parse(source)
    return sorted({*calls_of_engines(tree), *rows_in_process(tree)})


def files() -> list[Path]:
    return sorted(path for path in TESTS.rglob("*.py") if str(path.relative_to(TESTS)) not in ALLOWED)


def test_no_test_calls_a_released_engine_in_its_own_process():
    wrong = [f"{path.relative_to(TESTS)}:{line} {what}" for path in files() for line, what in refused(path.read_text())]

    assert len(files()) > 90
    assert not wrong, "\n".join(wrong)


def test_what_is_allowed_is_there_and_needs_to_be():
    found = {name: refused((TESTS / name).read_text()) for name in ALLOWED}

    assert [name for name, what in found.items() if not what] == []


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("import torch\n\ntorch.nn.functional.conv2d(x, w)", 3, "torch.nn.functional.conv2d"),
        ("from torch.nn import functional as F\ny = F.conv_transpose1d(x, w)", 2, "F.conv_transpose1d"),
        ("def test():\n    from torch.nn.functional import conv3d as right", 2, "conv3d"),
        ("import torch\nf = getattr(torch.nn.functional, f'conv{n}d')", 2, "getattr(torch.nn.functional, f'conv{n}d')"),
        ("import torch\nlayer = torch.nn.Conv1d(1, 1, 3)", 2, "torch.nn.Conv1d"),
        ("from scipy import signal\nsignal.correlate2d(a, b)", 2, "signal.correlate2d"),
        ("from jax import lax\nlax.conv_general_dilated(x, w)", 2, "lax.conv_general_dilated"),
        ("MINE = '''\nimport torch\ndef conv(*a):\n    return torch.conv1d(*a)\n'''", 1, "torch.conv1d"),
        ("address = 'torch.nn.functional:conv1d'", 1, "torch.nn.functional:conv1d"),
        ("with InProcess() as box:\n    box.call(target_of(get('torch-onednn')), request)", 2, "torch-onednn"),
        ("for row in rows('engine'):\n    open_target({'row': row.name})", 1, "rows('engine')"),
    ],
)
def test_an_offender_is_named_with_its_line(source, line, what):
    assert refused(source) == [(line, what)]


@pytest.mark.parametrize(
    "source",
    [
        "from scripted.functions import conv2d\ny = conv2d(x, w)",
        "import torch\nx = torch.nn.functional.pad(x, (1, 1))",
        "def test():\n    '''As torch.nn.functional.conv2d does.'''",
        "def test(stand_ins):\n    open_target({'row': 'torch-onednn'})",
        "with Sandbox() as box:\n    box.call(target_of(get('torch-onednn')), request)",
    ],
)
def test_what_is_ours_or_in_the_sandbox_is_no_offence(source):
    assert refused(source) == []
