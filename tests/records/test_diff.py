"""Two runs compared: what may be called broken or fixed, and what cannot be said. Hand-made findings, for the logic only."""

from __future__ import annotations

import json

import pytest

from convlaws.errors import HarnessError, SchemaError, UsageError
from convlaws.records.diff import Change, differences, luck, pairs
from convlaws.records.finding import Finding, Verdict, summary_line
from convlaws.records.run_file import read_run, unlike


def finding(verdict: Verdict = Verdict.KEPT, **fields) -> Finding:
    plain = {"method": "m", "law": "w", "op": "fprop", "examples": 20, "drawn": 20, "asked": "00c0ffee"}
    return Finding(**{**plain, "verdict": verdict, **fields})


def broken(**fields) -> Finding:
    return finding(Verdict.BROKEN, **{"problem": "LINE", "signature": "value", "failed": 3, **fields})


def change(old: list[Finding], new: list[Finding]) -> Change:
    [found] = differences(old, new)
    return found.change


OTHER = {"asked": "0badcafe"}
VACUOUS, REFUSED = finding(Verdict.VACUOUS, examples=3, message="too few: 3"), finding(Verdict.REFUSED, examples=0)


# --- on the same problems -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (finding(), finding(), Change.SAME),
        (finding(), broken(), Change.BROKE),
        (finding(), broken(known="k"), Change.BROKE),
        (broken(), finding(), Change.FIXED),
        (broken(), broken(), Change.STILL),
        (broken(), broken(known="k"), Change.STILL),
        (broken(), broken(signature="SIGSEGV"), Change.OTHERWISE),
        (broken(known="k"), broken(), Change.BROKE),
    ],
)
def test_each_change_is_named(old, new, expected):
    assert change([old], [new]) is expected


def test_a_new_mistake_beside_a_known_one_broke():
    both = [broken(known="k"), broken(signature="nan")]

    assert change([broken(known="k")], both) is Change.BROKE
    assert change(both, both) is Change.STILL


# --- what cannot be said --------------------------------------------------------------------
@pytest.mark.parametrize("silent", [VACUOUS, REFUSED, finding(examples=5, **OTHER)])
@pytest.mark.parametrize("other", [finding(), broken()])
def test_a_side_that_says_nothing_neither_broke_nor_fixed(silent, other):
    assert change([silent], [other]) is Change.INCONCLUSIVE
    assert change([other], [silent]) is Change.INCONCLUSIVE


def test_what_says_nothing_on_both_sides_is_no_difference():
    assert change([VACUOUS], [VACUOUS]) is Change.NOTHING_TO_SAY


def test_a_flaky_failure_is_never_fixed():
    assert change([broken(flaky="1/3")], [finding()]) is Change.INCONCLUSIVE
    assert change([finding()], [broken(flaky="1/3")]) is Change.BROKE


def test_few_examples_are_enough_where_both_runs_were_asked_the_same():
    few = {"examples": 1, "drawn": 1}

    assert change([broken(failed=1, **few)], [finding(**few)]) is Change.FIXED
    assert change([broken(failed=1, **few)], [finding(**few, **OTHER)]) is Change.INCONCLUSIVE


def test_a_problem_that_is_refused_now_is_not_fixed():
    asked = {"drawn": 2, "refused": {}}

    assert change([broken(examples=2, **asked)], [finding(examples=1, drawn=2, refused={"no": 1})]) is not Change.FIXED


# --- on other problems --------------------------------------------------------------------
def test_rare_failures_on_other_problems_may_be_luck_and_frequent_ones_are_not():
    assert change([finding()], [broken(failed=3, **OTHER)]) is Change.SUSPECT
    assert change([finding()], [broken(failed=20, **OTHER)]) is Change.BROKE
    assert change([broken(failed=3)], [finding(**OTHER)]) is Change.MAYBE_FIXED
    assert change([broken(failed=20)], [finding(**OTHER)]) is Change.FIXED


def test_luck_is_the_hypergeometric_tail():
    # 2 failures among 2 + 2 examples: of the 6 ways to place them one puts both here
    assert luck(broken(examples=2, failed=2), finding(examples=2)) == pytest.approx(1 / 6)


# --- worst ratios ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (0.1, 0.19, ""),
        (0.1, 0.25, "0.1 -> 0.25 (x2.5, worse, on the same 20 examples)"),
        (0.4, 0.1, "0.4 -> 0.1 (x4, better, on the same 20 examples)"),
        (0.0, 0.1, "0 -> 0.1 (from 0, worse, on the same 20 examples)"),
        (0.0, 0.0, ""),
    ],
)
def test_a_ratio_moved_by_a_factor_on_the_same_problems(old, new, said):
    [found] = differences([finding(worst_ratio=old)], [finding(worst_ratio=new)])

    assert found.note == said
    assert found.change is (Change.MOVED if said else Change.SAME)


def test_a_ratio_on_other_problems_is_not_compared():
    assert change([finding(worst_ratio=0.001)], [finding(worst_ratio=0.9, **OTHER)]) is Change.SAME


# --- who is compared with whom ---------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["a@1"], ["a@2"], {"a@1": "a@2"}),
        (["a@1"], ["a"], {"a@1": "a"}),
        (["a@1", "a"], ["a", "a@2"], {"a": "a", "a@1": "a@2"}),
        (["a@1", "a@2"], ["a@3"], {}),
        (["a@1"], ["a@2", "a@3"], {}),
        (["a@b/f.py:conv"], ["a@c/f.py:conv"], {}),
    ],
)
def test_methods_are_paired_by_their_full_name_then_without_the_version(old, new, expected):
    assert pairs(old, new) == expected


def test_what_only_one_side_tried_is_new_or_gone():
    old, new = [finding(), finding(law="gone")], [finding(), finding(law="new")]

    assert {d.cell[1]: d.change for d in differences(old, new)} == {"w": Change.SAME, "new": Change.ADDED, "gone": Change.GONE}


# --- files -----------------------------------------------------------------------------------
def test_a_run_comes_back_from_its_file(tmp_path):
    path = tmp_path / "run.jsonl"
    summary = summary_line(environment={"cpu": "x", "versions": {"torch": "2.13"}}, seed=3, command=["check", "m"], lost=["w 1"])
    path.write_text(f"{finding().to_line()}\n{summary}\n")

    run = read_run(path)

    assert run.findings == [finding()]
    assert run.facts() == {"cpu": "x", "torch": "2.13", "seed": "3", "command": "check m"}
    assert run.warnings == ["w 1"]
    assert unlike(run.facts(), {**run.facts(), "torch": "2.14"}) == [("torch", "2.13", "2.14")]


def test_a_file_without_summary_says_so(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text(finding().to_line())

    assert "no summary record" in read_run(path).warnings[0]


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (None, UsageError, "cannot be read"),
        ("", UsageError, "has no findings"),
        (summary_line(total=1), UsageError, "has no findings"),
        ("{}", SchemaError, ":1: no record"),
        (f"{json.dumps({'kind': 'finding', 'schema': 1})}", SchemaError, ":1: the finding has no law, method, op, verdict"),
    ],
)
def test_a_file_that_is_no_run_is_an_error_with_its_name(text, kind, said, tmp_path):
    path = tmp_path / "run.jsonl"
    if text is not None:
        path.write_text(text)

    with pytest.raises(HarnessError) as caught:
        read_run(path)

    assert isinstance(caught.value, kind)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
