"""The search: what it covers, how it repeats itself, and what it does with what goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from convlaws.judge.case import NEEDS
from convlaws.judge.replay import repeated
from convlaws.known import Ledger, load
from convlaws.laws import registry as laws
from convlaws.laws.registry import Law
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.records.finding import LEAST, Finding, Verdict
from convlaws.sandbox.sandbox import Sandbox
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.search.shrink import Shrinker
from convlaws.targets.registry import get, rows
from convlaws.targets.resolve import Calling, function

CHEAP = ("equals-the-definition", "homogeneous", "the-same-bits-twice")


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def plan(*methods: str, names: tuple[str, ...] = CHEAP, **options) -> Plan:
    return Plan([get(m) for m in methods], laws.find(names), **options)


def facts(findings: list[Finding]) -> list[tuple]:
    return sorted((f.id, str(f.verdict), f.problem, f.message, f.examples) for f in findings)


# --- it repeats itself ---------------------------------------------------------------------
def test_the_same_seed_gives_the_same_findings(box):
    asked = plan(
        "im2col", "mutant-swapped-padding", seed=5, scope=Scope(ops=("fprop", "wgrad"), dtypes=("bfloat16",)), examples=10
    )

    one, two = (Search(asked, box).run() for _ in range(2))

    assert facts(one) == facts(two)
    assert any(f.verdict.bad for f in one)


def test_another_seed_draws_other_problems(box):
    narrow = Scope(ops=("fprop",), dtypes=("float32",))
    one, two = (Search(plan("im2col", seed=seed, scope=narrow), box).run() for seed in (1, 2))

    assert {f.problem for f in one} != {f.problem for f in two}


# --- what is covered --------------------------------------------------------------------------
def test_every_method_law_and_op_has_a_record(box):
    methods, chosen = rows("method")[:3], laws.find(CHEAP)

    found = Search(Plan(methods, chosen, examples=1), box).run()

    cells = {(m.name, law.name, op) for m in methods for law in chosen for op in law.scope.ops}
    assert {f.cell for f in found} == cells


def test_scopes_that_do_not_meet_are_refused_in_words(box):
    found = Search(plan("winograd2", names=("equals-the-definition",), scope=Scope(ops=("wgrad",))), box).run()

    assert [(str(f.verdict), f.message) for f in found] == [
        ("refused", "the law is about ops wgrad, the method does only fprop, dgrad, bgrad")
    ]


def test_what_a_method_cannot_do_is_refused_in_words(box):
    found = Search(plan("im2col", names=("threads-do-not-matter",), examples=1), box).run()

    assert {(str(f.verdict), f.message) for f in found} == {("refused", NEEDS["threads"])}


def test_a_law_that_asks_beside_the_problem_is_refused_where_the_method_does_not_do_that(box):
    found = Search(plan("winograd2", names=("an-axis-of-one-changes-nothing",), examples=1), box).run()

    assert {str(f.verdict) for f in found} == {"refused"}
    assert all("the number of spatial axes is 3, only 2 is done" in f.message for f in found if f.drawn)


def test_kept_needs_twenty_examples(box):
    few = Search(plan("im2col", names=("homogeneous",), examples=LEAST - 15), box).run()
    enough = Search(plan("im2col", names=("homogeneous",), examples=LEAST), box).run()

    assert {f.verdict for f in few} == {Verdict.VACUOUS}
    assert all("too few" in f.message for f in few)
    assert {f.verdict for f in enough} == {Verdict.KEPT}
    assert min(f.examples for f in enough) >= LEAST


NARROWEST = ("toeplitz-one-channel", "scipy-correlate2d", "winograd2")


@pytest.mark.long
def test_under_a_tenth_of_the_draws_are_refused(box):
    methods, known = [get(name) for name in NARROWEST], load().entries
    chosen = [law for law in laws.laws() if law.name not in ("equals-the-other-methods", "threads-do-not-matter")]

    found = Search(Plan(methods, chosen, Scope(macs=500)), box, Ledger(known)).run()

    drawn, refused = Counter(), Counter()
    for f in found:
        drawn[f.method] += f.drawn
        refused[f.method] += sum(n for why, n in f.refused.items() if "known finding" not in why)
    assert drawn.keys() == set(NARROWEST)
    assert {name: refused[name] / drawn[name] for name in drawn if refused[name] >= 0.1 * drawn[name]} == {}


# --- time ---------------------------------------------------------------------------------------
def test_a_budget_ends_the_drawing_and_more_time_gives_more_examples(box):
    started = time.monotonic()

    found = Search(plan("im2col", names=("homogeneous",), scope=Scope(ops=("fprop",)), budget=3.0), box).run()

    # drawing ends at 3 s, nothing is shrunk here; the rest is room for a slow machine
    assert time.monotonic() - started < 20
    assert min(f.examples for f in found) > LEAST


# --- what goes wrong ----------------------------------------------------------------------------
def test_an_exception_in_a_law_is_our_failure_and_ends_nothing(box):
    def torn(p, ask):
        """A law that cannot be."""
        raise ZeroDivisionError("torn")

    broken = Law("torn", "A law that cannot be.", torn, Scope(ops=("fprop",)))
    both = replace(plan("im2col", names=("homogeneous",)), laws=[broken, *laws.find(["homogeneous"])])

    found = Search(both, box).run()

    ours = [f for f in found if f.law == "torn"]
    assert [str(f.verdict) for f in ours] == ["crashed"]
    assert "convlaws itself failed, not the method: ZeroDivisionError: torn" in ours[0].message
    assert {str(f.verdict) for f in found if f.law == "homogeneous"} == {"kept"}


def test_a_crash_ends_nothing(box):
    found = Search(plan("mutant-crashes-on-dilation", names=("equals-the-definition",)), box).run()

    verdicts = {f.op: str(f.verdict) for f in found}
    assert verdicts == {"fprop": "crashed", "dgrad": "kept", "wgrad": "kept", "bgrad": "kept"}


def test_a_failure_that_does_not_repeat_is_marked_with_its_count(box, tmp_path):
    # wrong with a chance that depends on nothing that a problem holds
    (tmp_path / "moody.py").write_text(
        "import os\nfrom scripted.functions import conv2d as right\n"
        "def conv2d(*a):\n    return right(*a) + (os.urandom(1)[0] < 20)\n"
    )
    moody = function(f"{tmp_path}/moody.py:conv2d", Calling())
    narrow = Scope(ops=("fprop",), dtypes=("float32",), fills=("integers",), macs=500)

    found = Search(Plan([moody], laws.find(["equals-the-definition"]), narrow, examples=100), box).run()

    assert any(f.flaky for f in found), [(f.signature, f.flaky) for f in found]
    assert all(f.flaky.endswith("/3") for f in found if f.flaky)


class Late(Shrinker):
    """A shrinker whose time is over once a failure did not repeat."""

    def _not_alone(self, cell, failure):
        self.deadline = 0.0
        super()._not_alone(cell, failure)


@pytest.mark.parametrize(("shrinker", "count"), [(Shrinker, "0/3"), (Late, "0/1")])
def test_a_failure_that_never_repeats_is_marked_though_the_time_is_over(box, tmp_path, shrinker, count):
    # wrong in its tenth call, and never again in whatever process
    (tmp_path / "once.py").write_text(
        "import pathlib\nfrom scripted.functions import conv2d as right\n"
        "def conv2d(*a):\n    calls = pathlib.Path(__file__).with_name('calls')\n"
        "    with calls.open('a') as file:\n        file.write('.')\n"
        "    return right(*a) + (calls.stat().st_size == 10)\n"
    )
    once = function(f"{tmp_path}/once.py:conv2d", Calling())
    narrow = Scope(ops=("fprop",), dtypes=("float32",), fills=("integers",), macs=500)
    search = Search(Plan([once], laws.find(["equals-the-definition"]), narrow, examples=30), box)
    search.shrinker = shrinker(search, allowance=60.0)

    found = search.run()

    assert [f.flaky for f in found if f.verdict.bad] == [count]


def test_what_needs_a_past_is_printed_with_it_and_repeats(box):
    method = get("mutant-stale-cache")
    found = Search(plan(method.name, names=("equals-the-definition",), examples=60), box).run()

    bad = [f for f in found if f.verdict.bad]
    assert bad
    assert all(f.history for f in bad)
    lines = [Problem.parse(line) for line in (*bad[0].history, bad[0].problem)]
    [(_, outcome)] = repeated(method, laws.find(["equals-the-definition"]), lines, box)
    assert outcome.verdict is Verdict.BROKEN
    [(_, alone)] = repeated(method, laws.find(["equals-the-definition"]), lines[-1:], box)
    assert alone.verdict is Verdict.KEPT


def test_drawing_writes_nothing_and_depends_on_its_seed_only(tmp_path):
    code = (
        "import sys\n"
        "from convlaws.strategies.blocks import block\n"
        "from convlaws.problem.scope import Scope\n"
        "if sys.argv[1:]: import numbers_of_mine\n"
        "print([str(drawn.problem) for drawn in block(Scope(), 0, 60)])\n"
    )
    (tmp_path / "numbers_of_mine.py").write_text(f"MINE = {list(range(2, 990))}\n")
    (tmp_path / "drawn.py").write_text(code)

    alone, beside = (
        subprocess.run(
            [sys.executable, "drawn.py", *more],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for more, hashes in (((), "1"), (("mine",), "2"))
    )

    assert alone == beside
    assert not (tmp_path / ".hypothesis").exists()
