"""The tables and sentences of the page say what the findings say."""

from __future__ import annotations

import numpy as np
import pytest
from many_findings import LINES, finding

from convlaws.records.finding import Verdict
from convlaws.reports.page import accuracy, coverage, provenance, verdicts
from convlaws.reports.page.matrix import matrix
from convlaws.reports.page.mutant_kills import judge

HELD, FOUND = "1 method held to", "mutants were found."


# --- sentences ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("found", "state", "says"),
    [
        ([finding(Verdict.KEPT)], "kept", f"{HELD} 1 law: no new failure."),
        ([finding(known="k"), finding(Verdict.KEPT, law="l")], "kept", f"{HELD} 2 laws: no new failure, and 1 known one."),
        ([finding(), finding(Verdict.CRASHED, law="l")], "broken", "im2col breaks 2 laws."),
        ([finding(), finding(Verdict.KEPT, method="b")], "broken", "1 new failure in 1 of 2 methods: im2col."),
        ([finding(Verdict.VACUOUS)], "vacuous", "Nothing was verified."),
        ([], "vacuous", "There is no finding."),
        ([finding(method="mutant-a")], "kept", "1 of 1 mutants were found."),
        ([finding(method="mutant-a"), finding(Verdict.KEPT, method="mutant-b")], "vacuous", "1 of 2 mutants were found."),
        ([finding(Verdict.KEPT), finding(method="mutant-a")], "kept", f"{HELD} 1 law: no new failure; 1 of 1 {FOUND}"),
    ],
)  # fmt: skip
def test_the_verdict_in_a_sentence(found, state, says):
    said = verdicts.sentence(found)

    assert (said.look.state, said.says) == (state, says)


def test_what_changed_is_told_apart():
    kept, bad = finding(Verdict.KEPT), finding()
    before = [kept, finding(law="b"), finding(Verdict.KEPT, law="c"), finding(Verdict.KEPT, method="gone"), finding(law="same")]
    before += [finding(law="d"), finding(law="e")]
    now = [bad, finding(Verdict.KEPT, law="b"), finding(Verdict.VACUOUS, law="c"), finding(method="new"), finding(law="same")]
    now += [finding(law="d", known="k"), finding(Verdict.VACUOUS, law="e")]

    found = verdicts.changes(before, now)

    assert [(c.law, c.before.state, c.now.state) for c in found.worse] == [("equals-the-definition", "kept", "broken")]
    assert [(c.law, c.before.state, c.now.state) for c in found.better] == [("b", "broken", "kept")]
    assert found.others == [("kept", "vacuous", 1), ("broken", "known", 1), ("broken", "vacuous", 1)]
    assert (found.only_before, found.only_now) == (["gone"], ["new"])


# --- tables ----------------------------------------------------------------------------
def test_a_cell_shows_the_worst_of_its_ops_and_leads_to_it():
    bad = finding(op="wgrad")
    found = [
        finding(Verdict.KEPT),
        bad,
        finding(Verdict.KEPT, method="b", worst_ratio=0.25),
        finding(Verdict.REFUSED, method="c"),
    ]

    table = matrix(found, ["im2col", "b", "c"], {bad.id: "f-1"})

    (row,) = table.rows
    assert [(c.look.state, c.examples, c.ratio, c.to) for c in row.cells][:2] == [
        ("broken", 40, "", "f-1"),
        ("kept", 20, "0.25", "m1"),
    ]
    assert row.cells[2].words == "refused"
    assert not row.quiet


def test_failures_of_one_cell_share_their_examples():
    found = [finding(signature="nan"), finding(signature="value", problem=LINES[1])]

    assert matrix(found, ["im2col"], {}).rows[0].cells[0].examples == 20


def test_a_law_that_nobody_kept_is_not_quiet():
    found = [finding(Verdict.REFUSED), finding(Verdict.REFUSED, method="b")]

    assert not matrix(found, ["im2col", "b"], {}).rows[0].quiet


def test_the_judge_counts_a_mutant_once_a_law():
    found = [finding(method="mutant-a", op=op) for op in ("fprop", "dgrad")]
    found += [finding(method="mutant-a", law="additive-in-x", specific=2), finding(Verdict.KEPT, method="mutant-b"), finding()]

    table = judge(found, {})

    assert [(k.mutant, k.laws, k.names) for k in table.kills] == [("mutant-a", 2, "additive-in-x"), ("mutant-b", 0, "")]
    assert table.survivors == ["mutant-b"]
    assert table.by_law == [("equals-the-definition", 1, 2), ("additive-in-x", 1, 1)]


def test_errors_are_read_off_their_histogram():
    counts = [60] + [0] * 15 + [30, 10] + [0] * 6  # from 2^-5 and from 2^-4 of the slack
    (found,) = accuracy.spreads([finding(Verdict.KEPT, error_histogram=counts, worst_ratio=0.06)])

    assert (found.elements, found.exact, found.middle, found.worst) == (100, "60.0%", accuracy.power(-5), "0.06")
    assert 'class="over"' not in found.picture


def test_only_errors_over_the_slack_are_drawn_so():
    at, over = [0] * 24, [0] * 24
    at[21] = over[22] = 1

    assert 'class="over"' not in accuracy.histogram(np.array(at[1:]), "")
    assert 'class="over"' in accuracy.histogram(np.array(over[1:]), "")


def test_coverage_counts_problems_and_pairs_that_are_there():
    found = coverage.sample([finding(problem=LINES[0]), finding(problem=LINES[0]), finding(problem=LINES[1])])

    shares = {name: {s.value: s.count for s in values} for name, values in found.axes}
    assert found.size == 2
    assert shares["op"] == {"fprop": 1, "dgrad": 1, "wgrad": 0, "bgrad": 0}
    assert shares["spatial axes"] == {"1": 1, "2": 1, "3": 0}
    assert 0 < found.pairwise < 0.3


def test_what_a_summary_lacks_is_said_to_be_missing():
    rows = dict(provenance.rows([{"seed": 3}, {"seconds": 4.2, "interrupted": True, "environment": {"cpu": "Zen"}}]))

    assert rows["seed"] == ["3", "not in this file"]
    assert rows["duration"] == ["not in this file", "4 s"]
    assert rows["cpu"] == ["not in this file", "Zen"]
    assert rows["ended early"] == ["not in this file", "interrupted"]


def test_a_mutant_is_shown_with_what_it_is_and_when_it_was_found():
    late = finding(method="mutant-m", law="additive-in-x", problem="long line", after=70, after_seconds=2.5, tries=4)
    soon = finding(method="mutant-m", law="homogeneous", problem="line", after=7, after_seconds=0.25, tries=9)
    told = [{"mutants": {"mutant-m": {"defect": "indexing", "difficulty": "hard", "says": "x" * 999}, "mutant-n": "no facts"}}]

    kill = judge([late, soon], {}, told).kills[0]

    assert (kill.about["defect"], kill.about["difficulty"]) == ("indexing", "hard")
    assert (kill.after, kill.seconds, kill.line, kill.tries) == ("7", "0.25", "line", "9")
    assert len(kill.about["says"]) < 400
    assert judge([late], {}).kills[0].about["difficulty"] == ""
