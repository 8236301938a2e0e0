"""What is printed of findings."""

from __future__ import annotations

import re

from findings_made import made

from convlaws.judge.cell import Cell
from convlaws.laws import registry as laws
from convlaws.records.finding import Verdict
from convlaws.reports.console import by_method
from convlaws.targets.registry import get


def share(*findings) -> float:
    """The share of refused draws, in per cent, as it is printed."""
    [said] = re.findall(r"([\d.]+)%", by_method(findings))
    return float(said)


def test_problems_that_a_known_finding_keeps_from_being_asked_are_drawn_and_refused():
    cell = Cell(get("im2col"), laws.find(["homogeneous"])[0], "fprop", get("im2col").scope)
    for _ in range(13):
        cell.avoid("a-known-one")

    assert share(*cell.findings()) == 100.0


def test_the_share_of_refused_draws_counts_what_was_avoided_on_both_sides():
    found = made(drawn=10, refused={"in the region of the known finding a": 30}, avoided={"a": 30})

    assert share(found) == 75.0


def test_several_failures_of_one_method_law_and_op_count_their_draws_once():
    bad = [made(Verdict.BROKEN, drawn=10, refused={"no": 5}, signature=s) for s in ("value", "shape")]
    other = made(law="law-b", drawn=10)

    assert share(*bad, other) == 25.0
