"""Engines that are not installed: who asks for one is told how to install it, at once, and no search spins for want of work."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from convlaws.errors import Refusal, UsageError
from convlaws.laws import registry as laws
from convlaws.records.finding import Verdict
from convlaws.sandbox.sandbox import InProcess
from convlaws.sandbox.settings import Setting
from convlaws.search.parallel import search
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.targets.registry import KINDS, Package, get, rows
from convlaws.targets.resolve import Calling, resolve

NOWHERE = Package(name="nowhere-at-all", module="nowhere_at_all")
ABSENT = {row.package.name: row for row in rows(*KINDS, absent=True) if row.absent}
LAWS = ["zero-input-gives-the-bias", "equals-the-definition"]


def absent():
    return replace(get("im2col"), name="not-there", package=NOWHERE)


@pytest.mark.parametrize("command", [("check", "--budget", "2"), ("campaign", "-o", "folder")], ids=lambda words: words[0])
@pytest.mark.parametrize("name", [row.name for row in ABSENT.values()])
def test_a_target_that_is_not_installed_is_refused_in_a_sentence_that_says_how_to_install_it(name, command, tmp_path):
    words = [sys.executable, "-m", "convlaws", command[0], name, *command[1:]]

    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)

    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr == f"convlaws: {get(name).absent}\n"
    assert "pip install" in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_several_are_named_once_each(monkeypatch):
    monkeypatch.setattr("convlaws.targets.resolve.find", lambda patterns: [absent(), replace(absent(), name="nor-that")])

    with pytest.raises(UsageError) as refused:
        resolve(["not-there"], Calling())

    assert str(refused.value) == "nowhere-at-all is not installed: pip install 'nowhere-at-all'"


def test_beside_one_that_is_there_it_is_refused_in_its_rows(monkeypatch):
    monkeypatch.setattr("convlaws.targets.resolve.find", lambda patterns: [absent(), get("im2col")])

    found = resolve(["not-there", "im2col"], Calling())

    assert [m.name for m in found] == ["not-there", "im2col"]


def ended(methods):
    """The findings of a search with ten minutes, and how much of them it took."""
    shares = [0.0]
    plan = Plan(methods, laws.find(LAWS), budget=600)
    with InProcess() as runner:
        found = Search(plan, runner, notify=lambda event: shares.append(event.get("progress", 0.0))).run()
    return found, max(shares)


def test_a_search_without_any_job_ends():
    found, share = ended([absent()])

    assert {f.verdict for f in found} == {Verdict.REFUSED}
    assert share < 1


def refuses(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    raise Refusal("never")


def refusing():
    return resolve([f"{__file__}:refuses"], Calling())[0]


def test_a_search_of_what_refuses_everything_ends():
    found, share = ended([refusing()])

    assert {f.verdict for f in found} == {Verdict.REFUSED}
    assert share < 1


def test_a_worker_that_has_nothing_to_do_ends_and_the_other_works():
    plan = Plan([get("im2col"), refusing()], laws.find(LAWS[:1]), budget=3.0)

    found = search(plan, Setting(sandbox=False), 2, lambda event: None, InProcess())

    assert {f.method for f in found} == {m.name for m in plan.methods}
    assert {f.verdict for f in found if f.method != "im2col"} == {Verdict.REFUSED}
