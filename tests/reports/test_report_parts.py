"""A card of the page: windows that lie where the convolution has them, the wrong elements, commands that repeat the failure."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
from commands import typed
from hypothesis import given, settings
from many_findings import LINES, evidence, finding

from convlaws import strategies
from convlaws.oracle.oracle import answer
from convlaws.problem.files import read_problems
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.reports.page.elements import elements
from convlaws.reports.page.geometry import axes, wrong_elements
from convlaws.reports.page.picture import heat, picture, shapes
from convlaws.reports.page.repeat_commands import Repeating, commands


# --- pictures ------------------------------------------------------------------------
@settings(max_examples=40)
@given(strategies.problems())
def test_a_picture_never_fails_and_says_the_sizes(problem):
    drawn = picture(problem, None)

    assert drawn is None or shapes(problem) in drawn.unescape()
    assert drawn is None or "nan" not in drawn


@pytest.mark.parametrize("text", ["n1c1k1_x7_r3_s2_p1_d2_g1", "n1c1k1_x4_r3_s2_p1_d1_g1_t1", "n1c1k1_x9_r2_s1_psame_d3_g1"])
def test_the_window_lies_where_the_definition_has_it(text):
    """What is wide and within a window is what one place touches, by the definition itself."""
    spec = Problem.parse(text).spec
    (axis,) = axes(Problem.parse(text))
    ones = np.ones(spec.w_shape)
    touched = np.zeros((axis.narrow, axis.wide), bool)
    for i in range(spec.extent[0]):
        x = np.zeros(spec.x_shape)
        x[..., i] = 1
        y = answer(spec, "fprop", {"x": x, "w": ones}).R[0, 0] != 0
        touched |= np.outer(np.arange(axis.narrow) == i, y) if spec.transposed else np.outer(y, np.arange(axis.wide) == i)

    drawn = np.zeros((axis.narrow, axis.span), bool)
    for place in range(axis.narrow):
        drawn[place, list(axis.taps(place))] = True

    assert touched.any()
    assert (drawn[:, axis.low : axis.low + axis.wide] == touched).all()


@pytest.mark.parametrize("line", LINES)
def test_the_wrong_elements_of_the_evidence_are_the_ones_that_are_marked(line):
    problem, shown = Problem.parse(line), evidence(line)

    wrong = wrong_elements(shown)

    assert wrong is not None
    assert wrong.of(problem)
    assert wrong.mask.shape == shape_of(problem.spec, RESULT[problem.op])
    assert wrong.mask.sum() == shown["wrong"] > 0
    assert f"{shown['wrong']} of {wrong.mask.size} elements are wrong" in heat(wrong)
    drawn = picture(problem, wrong)
    assert (drawn is None) == (problem.op == "bgrad")
    assert drawn is None or len(re.findall('class="wrong"', drawn)) >= 1


def test_evidence_of_another_array_than_the_result_marks_nothing_in_the_picture():
    problem = Problem.parse(LINES[0])

    drawn = picture(problem, wrong_elements(evidence(LINES[1])))

    assert 'class="wrong"' not in drawn


def test_an_element_says_how_far_outside_it_is():
    row = {"at": [0, 1], "got": "4", "low": "1", "high": "2"}

    (found,) = elements(finding(evidence={"elements": [row]}))

    assert (found.at, found.got, found.allowed, found.slack, found.outside) == ("(0, 1)", "4", "1 to 2", "0.5", "2 (4 x slack)")


@pytest.mark.parametrize(
    ("got", "low", "high", "allowed", "outside"),
    [("nan", "1", "1", "exactly 1", "no slack allows it"), ("inf", "1", "2", "1 to 2", "no slack allows it"),
     ("0", "3", "3", "exactly 3", "3"), ("-0", "inf", "inf", "exactly inf", "no slack allows it")],
)  # fmt: skip
def test_an_element_that_no_slack_allows_says_so(got, low, high, allowed, outside):
    (found,) = elements(finding(evidence={"elements": [{"at": [0], "got": got, "low": low, "high": high}]}))

    assert (found.allowed, found.outside) == (allowed, outside)


# --- commands --------------------------------------------------------------------------
def test_the_printed_command_repeats_the_failure(tmp_path):
    line = "n1c1k1_x3_r2_s1_p0_d2_g1 fprop float32 contiguous integers seed=0"
    (_, repeat), (_, script), _ = commands(finding(method="mutant-forgotten-dilation", problem=line), Repeating())

    name, *words = shlex.split(repeat)
    done = typed(*words)

    assert name == "convlaws"
    assert done.returncode == 1, done.stderr
    assert line in done.stdout
    assert script == f"{repeat} --script show.py"


def test_the_command_names_the_method_without_its_place_and_keeps_the_calling_options():
    f = finding(method="f.py:g (torch 2.13)", history=["n1c1k1_x5_r3"])

    (_, repeat), *_ = commands(f, Repeating(["--arrays", "numpy"], ["torch 2.13"]))

    assert shlex.split(repeat) == ["convlaws", "repeat", "n1c1k1_x5_r3", LINES[0], "f.py:g", "--arrays", "numpy", "--law", f.law]


@pytest.mark.parametrize("line", [LINES[0], LINES[1], LINES[3]])
def test_benchdnns_line_is_the_problem(line, tmp_path):
    *_, (what, command) = commands(finding(problem=line), Repeating())
    assert "benchdnn" in what
    file = tmp_path / "shapes.txt"
    file.write_text(command.removeprefix("benchdnn ") + "\n")

    ((_, read),) = read_problems(file)

    problem = Problem.parse(line)
    assert (read.op, read.dtype) == (problem.op, problem.dtype)
    assert shapes(read).partition(" group")[0] == shapes(problem).partition(" group")[0]


def test_a_transposed_convolution_has_no_benchdnn_line():
    assert not any("benchdnn" in what for what, _ in commands(finding(problem=LINES[4]), Repeating()))
