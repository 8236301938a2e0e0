"""Engines of other packages: a real wheel, installed by pip, found by its entry points."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from zipfile import ZipFile

import pytest

pytest.importorskip("pip", reason="pip installs the package under test")

INFO = {
    "METADATA": "Metadata-Version: 2.1\nName: acme-conv\nVersion: 1.2\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "RECORD": "",
    "entry_points.txt": """
[convlaws.engines]
acme = acme_conv:convlaws.json
gone = acme_conv:gone.json
list = acme_conv:no_list.json
nobody = acme_nobody:convlaws.json
text = acme_conv:no_json.json
within = acme_conv.inner:convlaws.json
""",
}
# the library leaves a trace when it is imported
LIBRARY = """
from pathlib import Path
Path(__file__).with_name("imported").touch()
import numpy as np
from convlaws.errors import Refusal

def matrix_product(x, w, b, stride, padding, dilation, groups):
    if x.shape[0] > 1:
        raise Refusal("acme does one image")
    y = np.einsum("kc,nchw->nkhw", w[:, :, 0, 0].astype("f8"), x.astype("f8"))
    return (y if b is None else y + b.astype("f8")[:, None, None]).astype(x.dtype)

def adapter(spec, op, arrays, options):
    return options["factor"] * matrix_product(arrays["x"], arrays["w"], arrays.get("b"), *[None] * 4)
"""
POINTWISE = {
    "ops": ["fprop"], "ndim": [2], "dtypes": ["float32"], "batch": ["one", "many"], "transposed": [False], "padding": ["none"],
    "padding_mode": ["zeros"], "output_padding": [False], "grouping": ["one"], "kernel": [1], "stride": [1],
}  # fmt: skip
ROWS = [
    {"name": "acme-right", "says": "one", "function": "acme_conv:matrix_product", "arrays": "numpy", "scope": POINTWISE},
    {"name": "acme-adapted", "says": "two", "adapter": "acme_conv:adapter", "options": {"factor": 1}, "scope": POINTWISE},
    {"name": "acme-doubled", "says": "three", "adapter": "acme_conv:adapter", "options": {"factor": 2}, "scope": POINTWISE},
    {"name": "acme-liar", "says": "four", "function": "acme_conv:matrix_product", "arrays": "numpy",
     "scope": {**POINTWISE, "kernel": [1, 2]}},
    {"name": "acme-absent", "says": "five", "function": "acme_absent:conv2d"},
    {"name": "acme-stored", "says": "six", "function": "acme_conv:conv", "contract": {"float16": "storage"}},
]  # fmt: skip
WRONG = [
    ({"name": "im2col", "says": "clash", "function": "acme_conv:conv"}, "convlaws has a row 'im2col' already"),
    ({"name": "mutant-flipped-kernel", "says": "clash", "function": "a:b"}, "convlaws has a row 'mutant-flipped-kernel' already"),
    ({"name": "acme-right", "says": "clash", "function": "a:b"}, "acme-conv 1.2 has a row 'acme-right' already"),
    ("acme", "it is a str, it should be an object"),
    ({"name": "acme"}, "says is None, it should be a line of text"),
    ({"name": "Acme:2", "says": "x"}, "the name 'Acme:2' should be of lower-case letters"),
    ({"name": "acme", "says": "x"}, "acme should have either a function or an adapter"),
    ({"name": "acme", "says": "x", "function": "acme.py"}, "function 'acme.py' should read package.module:name"),
    ({"name": "acme", "says": "x", "function": "a:b", "contract": "nowhere"}, "'nowhere'"),
    ({"name": "acme", "says": "x", "function": "a:b", "contract": {"float8": "plain"}}, "a contract for the dtype 'float8'"),
    ({"name": "acme", "says": "x", "function": "a:b", "signature": "conv9d"}, "signature 'conv9d' is none of conv1d"),
    ({"name": "acme", "says": "x", "function": "a:b", "scope": {"dtypes": ["float23"]}}, "not 'float23'"),
    ({"name": "acme", "says": "x", "function": "a:b", "scope": {"dtypes": "float32"}}, "dtypes of the scope is 'float32'"),
    ({"name": "acme", "says": "x", "function": "a:b", "scope": {"kernels": [1]}}, "a scope has no kernels"),
    ({"name": "acme", "says": "x", "function": "a:b", "scope": {"ndim": [3]}}, "declares nothing that conv2d with torch arrays"),
    ({"name": "acme", "says": "x", "function": "a:b", "colour": "red"}, "a declaration has no colour"),
    ({"name": "acme", "says": "x", "function": "a:b", "can": ["fly"]}, "can may hold second, not 'fly'"),
    ({"name": "acme", "says": "x", "function": "a:b", "can": "second"}, "can is 'second', of type str"),
    ({"name": "acme", "says": "x", "adapter": "a:b", "arrays": "numpy"}, "signature and arrays are for a function"),
    ({"name": "acme", "says": "x", "adapter": "a:b", "options": []}, "options is [], it should be an object"),
    (
        {"name": "acme", "says": "x", "function": "a:b", "switches": ["turbo"]},
        "switches is ['turbo'], it should be a list of onednn",
    ),
]
WRONG_POINTS = {
    "gone": "there is no gone.json in the package acme_conv",
    "list": "no_list.json holds a dict, it should hold a list of rows",
    "nobody": "there is no package acme_nobody",
    "text": "Expecting value",
    "within": "it should name a top-level package and a file in its folder",
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder into which pip installed the package."""
    wheel, target = tmp_path_factory.mktemp("wheel") / "acme_conv-1.2-py3-none-any.whl", tmp_path_factory.mktemp("installed")
    files = {"__init__.py": LIBRARY, "convlaws.json": json.dumps(ROWS + [row for row, _ in WRONG])}
    files |= {"no_list.json": "{}", "no_json.json": "acme"}
    with ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"acme_conv/{name}", text)
        for name, text in INFO.items():
            archive.writestr(f"acme_conv-1.2.dist-info/{name}", text)
    words = ("install", "-q", "--no-deps", "--no-index", "--target", target, wheel)
    done = subprocess.run([sys.executable, "-m", "pip", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def convlaws(installed):
    """The command, where the package is installed."""
    (installed / "acme_conv" / "imported").unlink(missing_ok=True)

    def run(*words: str) -> subprocess.CompletedProcess:
        path = os.pathsep.join(filter(None, [str(installed), os.environ.get("PYTHONPATH", "")]))
        command, env = [sys.executable, "-m", "convlaws", *words], {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=180, check=False)
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    return run


def imported(installed) -> bool:
    return (installed / "acme_conv" / "imported").exists()


def test_rows_are_listed_without_importing_the_library(convlaws, installed):
    done = convlaws("list", "engines", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}

    assert done.returncode == 0
    assert [name for name in rows if name.startswith("acme")] == [row["name"] for row in ROWS]
    assert rows["acme-right"]["says"] == "one"
    assert "kernel 1" in rows["acme-right"]["refuses"]
    assert not imported(installed)


def test_what_is_wrong_costs_one_line_each(convlaws, installed):
    lines = convlaws("list", "engines").stderr.splitlines()

    assert len(lines) == len(WRONG) + len(WRONG_POINTS)
    assert all(line.startswith("convlaws: left out: an engine of acme-conv 1.2 (") for line in lines)
    for number, (_, said) in enumerate(WRONG, len(ROWS) + 1):
        assert said in next(line for line in lines if f"row {number}:" in line)
    for name, said in WRONG_POINTS.items():
        assert said in next(line for line in lines if f"({name} = " in line)
    assert not imported(installed)


def test_rows_are_judged_like_any_other_by_several_workers(convlaws, installed, tmp_path):
    words = ("--law", "equals-the-definition", "--op", "fprop", "--examples", "20", "--workers", "2")

    done = convlaws("check", "acme-*", *words, "--json", str(tmp_path / "found.jsonl"))
    found = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]

    assert done.returncode == 1, done.stderr
    assert {(f["method"], f["verdict"]) for f in found if f["kind"] == "finding"} == {
        ("acme-right", "kept"),
        ("acme-adapted", "kept"),
        ("acme-doubled", "broken"),
        ("acme-liar", "broken"),
        ("acme-absent", "refused"),  # its library is not there; the others are judged all the same
        ("acme-stored", "refused"),
    }
    assert imported(installed)


def test_a_refusal_of_the_library_is_a_refusal(convlaws):
    done = convlaws("repeat", "n2c1k1_x1x1_r1x1 fprop float32", "acme-right", "--law", "equals-the-definition")

    assert "acme-right refused equals-the-definition: acme does one image" in done.stdout


def test_without_a_third_party_nothing_is_left_out():
    done = subprocess.run([sys.executable, "-m", "convlaws", "list", "engines"], capture_output=True, text=True, check=True)

    assert "left out" not in done.stderr
