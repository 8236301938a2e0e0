"""`convlaws compare`: what it prints, writes and refuses; its page."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from importlib import resources
from pathlib import Path

import pytest
import scripts
from click.testing import CliRunner

from convlaws.cli.app import cli
from convlaws.errors import SchemaError, UsageError
from convlaws.records.finding import Verdict
from convlaws.records.timing_file import Times, Timing, read_times, to_text
from convlaws.reports import ranking
from convlaws.reports.page.page import standalone
from convlaws.targets.torch_model import layers

MISBEHAVING = Path(__file__).parents[1] / "helpers" / "misbehaving.py"
NETWORK = """
import torch
from torch import nn

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.again = nn.ModuleList(nn.Conv2d(4, 4, 3, padding="same", groups=4, bias=False) for _ in range(2))
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2, output_padding=1, dilation=2)
        self.never = nn.Conv2d(1, 1, 1)
        self.weight = nn.Parameter(torch.ones(1, 2, 1, 1))

    def forward(self, x):
        print("a model may print")
        x = self.first(x)
        for layer in self.again:
            x = layer(x)
        return nn.functional.conv2d(self.up(x), self.weight)

def no_model():
    return 7
"""


def made(**changes) -> Timing:
    """A timing as a run would have it."""
    line = "n1c3k4_x9x8_r3x3_s1x1_p1x1_d1x1_g1 fprop float32 contiguous normal seed=0"
    known = {"name": "a layer", "problem": line, "method": "im2col", "verdict": Verdict.KEPT, "contract": "plain"}
    times = {"seconds": 2e-5, "low": 1.9e-5, "high": 2.2e-5, "blocks": 5, "calls": 500, "ratio": 0.25, "memory": 3 << 20}
    return Timing(**{**known, **times, "flops": 10_000, "traffic": 2_000, "bound": 1e-6, **changes})


def without(verdict: Verdict, message: str, **changes) -> Timing:
    """The same of a method that has no time."""
    nothing = {"seconds": None, "low": None, "high": None, "blocks": 0, "calls": 0, "ratio": None, "memory": None}
    return made(verdict=verdict, message=message, **nothing, **changes)


MIXED = [
    made(),
    made(method="torch-onednn", seconds=2.1e-5, low=2.0e-5, high=2.3e-5),
    made(method="fft", seconds=3e-3, low=2.9e-3, high=3.1e-3, memory=200 << 20),
    without(Verdict.BROKEN, "got is 1 at (0, 0),\n  the definition 2 " + "and more " * 40, method="wrong-one"),
    without(Verdict.CRASHED, "the process died of SIGSEGV", method="dead-one"),
    without(Verdict.REFUSED, "only channels_last is done", method="last"),
]


# --- a real run --------------------------------------------------------------------------
@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A run on two problems, with a method that is wrong and one that dies."""
    folder = tmp_path_factory.mktemp("compare")
    lines = folder / "mine.txt"
    lines.write_text("n1c3k4_x9x8_r3x3_p1x1 normal  # padded\nn2c4k4_x6_r2_g2 dgrad float64 normal  # grouped\n")
    methods = f"im2col,scripted mutant-flipped-kernel,{MISBEHAVING}:dies"
    words = ["compare", lines, "--methods", methods, "--budget", "1", "--json", folder / "t.jsonl", "--report", folder / "t.html"]
    return scripts.convlaws(*words), folder


def test_it_ranks_what_is_right_and_says_what_is_not(real):
    done, _ = real

    assert done.returncode == 1, done.stderr
    first, second = done.stdout.split("grouped\n")
    assert first.startswith("padded\nn1c3k4_x9x8_r3x3_s1x1_p1x1_d1x1_g1 fprop float32 contiguous normal\n")
    ranked = [line.split()[0] for line in first.splitlines()[3:6]]
    assert ranked[0] == "method"
    assert set(ranked[1:]) == {"im2col", "scripted"}
    assert "no time: mutant-flipped-kernel wrong" in first
    assert "dies crashed" in first
    assert "dgrad float64" in second
    assert "all 2 problems" in second
    assert done.stderr == ""


def test_its_file_has_a_record_a_line_and_the_machine_last(real):
    _, folder = real
    found = read_times(folder / "t.jsonl")

    assert len(found.timings) == 2 * 4
    # the mutant flips the kernel in the forward direction only, so its gradient is right
    right = {(name, method) for name in ("padded", "grouped") for method in ("im2col", "scripted")}
    assert {(t.name, t.method) for t in found.timings if t.seconds} == right | {("grouped", "mutant-flipped-kernel")}
    assert {t.name for t in found.timings} == {"padded", "grouped"}
    assert found.machine["products"].keys() == {"float32", "float64"}
    assert found.machine["environment"]["versions"]["torch"]
    assert not list(folder.glob("*.part*"))


def test_its_records_obey_the_schema(real):
    jsonschema = pytest.importorskip("jsonschema")
    document = json.loads(resources.files("convlaws.reports").joinpath("timings.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(document)
    check = jsonschema.Draft202012Validator(document)

    lines = (real[1] / "t.jsonl").read_text().splitlines()
    faults = [error.message for line in lines for error in check.iter_errors(json.loads(line))]

    assert faults == []
    assert set(document["$defs"]["timing"]["properties"]) == {f.name for f in fields(Timing)} | {"kind"}
    timed_though_wrong = {**json.loads(made().to_line()), "verdict": "broken"}
    assert list(check.iter_errors(timed_though_wrong))


def test_the_page_of_findings_takes_its_file(real, tmp_path):
    _, folder = real
    findings = tmp_path / "f.jsonl"
    summary = {"kind": "summary", "schema": 1}
    finding = {"kind": "finding", "schema": 1, "method": "im2col", "law": "l", "op": "fprop", "verdict": "kept", "examples": 20}
    findings.write_text(json.dumps(finding) + "\n" + json.dumps(summary) + "\n")

    done = CliRunner().invoke(cli, ["report", str(findings), "--times", str(folder / "t.jsonl"), "-o", str(tmp_path / "p.html")])

    assert done.exit_code == 0, done.output
    page = (tmp_path / "p.html").read_text()
    assert page.count("Which one should I use?") == 1
    assert 'href="#choice"' in page


# --- a model -----------------------------------------------------------------------------
@pytest.fixture
def network(tmp_path) -> str:
    (tmp_path / "tiny.py").write_text(NETWORK)
    return f"{tmp_path}/tiny.py"


def test_every_layer_of_a_model_is_found_with_its_input(network):
    found, others = layers(f"{network}:Tiny", (1, 3, 8, 8))

    assert [(name, str(p.spec)) for name, p in found] == [
        ("first", "n1c3k4_x8x8_r3x3_s2x2_p1x1_d1x1_g1_b"),
        ("again.0 x2", "n1c4k4_x4x4_r3x3_s1x1_psame_d1x1_g4"),
        ("up", "n1c4k2_x4x4_r2x2_s2x2_p0x0_d2x2_g1_b_t1x1"),
    ]
    assert others == 1


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        ("no_model", (1, 3, 8, 8), "gives a int, no torch.nn.Module; a function is timed by --methods"),
        ("Tiny", (1, 4, 8, 8), "cannot be run on an input of 1x4x8x8: RuntimeError"),
        ("Other", (1, 3, 8, 8), "has no 'Other'; it has"),
        ("nn.ReLU", (1, 3, 8, 8), "has no layer of torch.nn that is a convolution"),
    ],
)
def test_a_model_that_cannot_be_looked_at_is_a_sentence(network, name, shape, says):
    with pytest.raises(UsageError) as error:
        layers(f"{network}:{name}", shape)

    assert says in str(error.value)
    assert "\n" not in str(error.value)


# --- what is refused ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["resnet-50"], "nor is it a catalogue (c3d, convnext-tiny"),
        (["n1c1k1_x4_r9x9"], "kernel has 2 axes, the extent has 1"),
        (["tests/helpers/nets.py:C3D"], "is a model: say the shape of its input, as --input 1x3x224x224"),
        (["tests/helpers/nets.py:C3D", "--input", "big"], "--input 'big' should be numbers with 'x' between them"),
        (["n1c1k1_x4_r1", "--methods", "im2kol"], "near: im2col"),
        (["n1c1k1_x4_r1", "--threads", "4096"], "--threads 4096: this process may use"),
        (["n1c1k1_x4_r1", "--op", "bgrad"], "bgrad"),
        (["n1c1k1_x4_r1", "--json", "/proc/none/t.jsonl"], "cannot write /proc/none/t.jsonl"),
    ],
)
def test_what_cannot_be_done_is_one_line(words, says):
    done = CliRunner().invoke(cli, ["compare", *words])

    assert done.exit_code == 2
    assert says in done.output
    assert done.output.count("\n") == 1


# --- the table ---------------------------------------------------------------------------
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_the_answer_stays(width):
    text = ranking.table(MIXED, width=width)

    assert max(map(len, text.splitlines())) <= width
    rows = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert rows[:4] == ["method", "im2col", "torch-onednn", "fft"]
    assert "20.0 µs" in text
    assert ("error/slack" in text) == (width >= 80)
    assert all(line == line.rstrip() for line in text.splitlines())


def test_what_overlaps_the_fastest_is_marked():
    rows = [line.split() for line in ranking.table(MIXED, width=100).splitlines()]

    said = {row[0]: row[3] for row in rows if row[0] in ("im2col", "torch-onednn", "fft")}
    assert said == {"im2col": "1.00", "torch-onednn": "~1.05", "fft": "150.00"}


def test_a_layer_that_is_there_three_times_counts_three_times():
    other = [made(name="b x3", times=3, seconds=1e-3), made(name="b x3", times=3, seconds=4e-3, method="fft")]

    rows = {row[0]: row[1:] for row in ranking.together([MIXED, other])}

    assert rows["im2col"] == ["3.02 ms", "2", "2", ""]
    assert rows["fft"] == ["15.0 ms", "0", "0", ""]
    assert rows["torch-onednn"] == ["", "0", "1", "1"]
    assert rows["the fastest of each"][0] == "3.02 ms"


def test_times_that_are_spread_far_are_called_unreliable():
    calm = [made(), made(method="fft")]
    busy = [replace(t, high=9e-5) for t in calm]

    assert ranking.unrest(calm) == ""
    assert "unreliable" in ranking.unrest(busy)


# --- the file ----------------------------------------------------------------------------
def test_a_timing_is_what_its_line_says(tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text(to_text(MIXED, {"threads": 1}))

    found = read_times(file)

    assert found.timings == MIXED
    assert found.machine["threads"] == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seconds": "fast"}, "line 1: seconds is 'fast', it should be of type float | None"),
        ({"verdict": "fine"}, "line 1: 'fine' is not a valid Verdict"),
        ({"method": None}, "line 1: method is None"),
        ({"schema": 2}, "line 1: schema 2, this reads 1"),
    ],
)
def test_a_line_that_is_no_timing_is_an_error_with_its_number(tmp_path, changes, says):
    file = tmp_path / "t.jsonl"
    file.write_text(json.dumps({**json.loads(made().to_line()), **changes}) + "\n")

    with pytest.raises(SchemaError, match=says.replace("|", r"\|")):
        read_times(file)


def test_hostile_text_stays_text_on_the_page():
    hostile = "<script>alert(1)</script>\x1b[31m" + "x" * 5000
    timings = [made(name=hostile, method=hostile), without(Verdict.BROKEN, hostile, name=hostile, method="m")]

    page = standalone(Times(timings, {"environment": {"cpu": hostile}, "products": {"float32": "no"}}))

    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page
    assert len(page) < 60_000
