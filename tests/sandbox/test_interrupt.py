"""Ctrl-C at any moment: every command ends, in a line and without a traceback, and leaves no process behind.

The moments are random; their seed is printed with a failure, and CONVLAWS_MOMENTS=SEED has them again.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from campaign_runs import Started, records
from findings_made import LINE, made, told, written

from convlaws.records.finding import Verdict
from convlaws.sandbox import interrupt
from convlaws.sandbox.interrupt import Interrupted, cut_off, deferred_sigint, descendants, overdue

COMMAND = (sys.executable, "-m", "convlaws")
SEED = int(os.environ.get("CONVLAWS_MOMENTS") or random.SystemRandom().randrange(10**6))
NARROW = ("--law", "equals-the-definition", "--op", "fprop", "--dtype", "float32")
ENDED = 60  # seconds after which a command that should have ended at once has not: generous, as machines are busy
FEW = 2 if not os.environ.get("CONVLAWS_NIGHTLY") else 20
NOBODY = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "20"}  # pip is busy with it for a while
# by name: the words of a command, and the seconds within which it is interrupted
OURS = ("im2col", "mutant-wrong-dtype", *NARROW, "--budget", "60")
COMMANDS = {
    "check": (("check", *OURS, "--workers", "1", "--json", "out.jsonl"), 8),
    "check-two": (
        ("check", *OURS, "--workers", "2", "--report", "o.html"),
        8,
    ),
    "check-known": (("check", "mutant-forgotten-dilation", *NARROW, "--examples", "20", "--no-sandbox"), 8),
    "check-lines": (("check", "im2col", "--problems", "lines.txt"), 8),
    "check-mine": (("check", "mine.py:conv", *NARROW, "--budget", "60"), 8),
    "campaign": (("campaign", *OURS, "--workers", "2", "-o", "run"), 8),
    "campaign-dask": (("campaign", *OURS, "--workers", "2", "--dask", "local", "-o", "run"), 8),
    "check-version": (("check", "onnxruntime@1.27.0", "--budget", "5"), 8),
    "mutants": (("mutants", "dgrad-*", "--quick", "--work", "work.jsonl"), 12),
    "repeat": (("repeat", LINE, "im2col"), 8),
    "bisect": (("bisect", LINE, "onnxruntime", "--from", "1.20.1", "--to", "1.27.0"), 8),
    "compare": (("compare", LINE, "--methods", "im2col,loop", "--budget", "30", "--json", "times.jsonl"), 10),
    "known": (("known", "--check"), 8),
    "diff": (("diff", "old.jsonl", "new.jsonl", "--recheck"), 8),
    "report": (("report", "old.jsonl", "-o", "page.html"), 3),
    "merge": (("merge", "old.jsonl", "new.jsonl", "-o", "both.jsonl"), 2),
    "summary": (("summary", "old.jsonl"), 2),
    "list": (("list", "mutants"), 2),
}
# commands that others end in the same way as
ALIKE = {"check-two", "check-mine", "campaign", "check-lines", "check-version", "campaign-dask", "bisect", "known", "compare"}
SLEEPY = """
import pathlib, time
from scripted.functions import conv2d

def conv(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    pathlib.Path(__file__).with_name("called").touch()
    time.sleep(0.3)
    return conv2d(x, w, b, stride, padding, dilation, groups)

def hangs(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    pathlib.Path(__file__).with_name("called").touch()
    time.sleep(1000)
"""


@pytest.fixture
def place(tmp_path) -> Path:
    """A folder with what the commands read."""
    bad = made(Verdict.BROKEN, method="mutant-forgotten-dilation", law="equals-the-definition")
    written(tmp_path / "old.jsonl", bad, summary=told())
    written(tmp_path / "new.jsonl", made(method="mutant-forgotten-dilation", law="equals-the-definition"), summary=told("run-2"))
    (tmp_path / "lines.txt").write_text("".join(f"n{n}c2k2_x5x5_r3x3\n" for n in range(1, 200)))
    (tmp_path / "mine.py").write_text(SLEEPY)
    return tmp_path


def started(place: Path, *words: str) -> Started:
    run = Started(*words, cwd=place, command=COMMAND)
    while run.process.poll() is None and len(os.listdir(f"/proc/{run.process.pid}/task")) < 2:
        time.sleep(0.01)  # before its second thread is there it is Python that starts, and nothing of ours
    return run


def interrupted(run: Started, *, group: bool = True) -> subprocess.CompletedProcess:
    """How a command ended to which Ctrl-C was sent: to all in its terminal, or (kill -INT) to it alone."""
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(run.process.pid, signal.SIGINT)
    try:
        return run.ended(ENDED)
    finally:
        for pid in run.family():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def clean(done: subprocess.CompletedProcess, run: Started, said: str, *codes: int) -> None:
    """Assert that a command ended as it should."""
    told = f"{said}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert done.returncode in codes, told
    assert "Traceback" not in done.stdout + done.stderr, told
    assert "Exception ignored" not in done.stderr, told
    assert run.orphans() == {}, told


def moments() -> list:
    """Each command and the number of a moment: of a kind of command one is in the short run, all others are long."""
    pairs = [(name, number) for number in range(FEW) for name in COMMANDS]
    return [pytest.param(*pair, marks=[pytest.mark.long] * (pair[1] > 0 or pair[0] in ALIKE)) for pair in pairs]


@pytest.mark.parametrize(("name", "number"), moments())
def test_a_command_ends_at_a_random_moment(name, number, place, monkeypatch):
    if name == "campaign-dask":
        pytest.importorskip("distributed", reason="distributed is not installed: pip install 'convlaws[dask]'")
    monkeypatch.setenv("CONVLAWS_CACHE", str(place / "cache"))
    for variable, value in (NOBODY if name in ("bisect", "check-version") else {}).items():
        monkeypatch.setenv(variable, value)
    words, seconds = COMMANDS[name]
    chance = random.Random(f"{SEED} {name} {number}")
    moment, group, twice = chance.uniform(0, seconds), chance.random() < 0.5, chance.random() < 0.3
    run = started(place, *words)

    time.sleep(moment)
    if twice:
        with suppress(ProcessLookupError):
            os.kill(run.process.pid, signal.SIGINT)
        time.sleep(chance.uniform(0, 0.5))
    before = run.process.poll()
    done = interrupted(run, group=group)

    said = f"CONVLAWS_MOMENTS={SEED}: after {moment:.3f} s, {group=}, {twice=}, ended before: {before}"
    own = {
        "bisect": (2,),
        "check-version": (2,),
        "check-known": (0, 1, 5),
        "check-lines": (0, 1, 5),
    }  # it may have been over, or pip may have given up
    clean(done, run, said, 130, *own.get(name, (0, 1)))
    assert list(place.glob("*~")) + list(place.glob(".*~")) == [], said


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_call_in_flight_is_not_waited_for_and_what_others_found_is_told(workers, place):
    words = ("mutant-wrong-dtype", "mine.py:hangs", *NARROW, "--budget", "300", "--time-limit", "300")
    run = started(place, "check", *words, "--workers", workers, "--json", "out.jsonl")
    run.until((place / "called").exists)

    done = interrupted(run)

    clean(done, run, "", 130)
    assert "interrupted" in done.stderr.splitlines()[-1]
    assert done.stderr.count("\n") == 1


def test_a_campaign_does_not_wait_for_a_call_in_flight_and_says_how_to_go_on(place):
    words = ("mine.py:hangs", *NARROW, "--budget", "300", "--time-limit", "300", "--workers", "1", "-o", "run")
    run = started(place, "campaign", *words)
    run.until((place / "called").exists)

    done = interrupted(run, group=False)

    clean(done, run, "", 130)
    assert done.stderr.splitlines()[-1] == "convlaws: interrupted; go on with: convlaws campaign --resume run"
    assert [record["complete"] for record in records(place / "run")] == [False]


def test_what_mutants_had_done_is_kept_and_the_same_command_goes_on(place):
    words = ("mutants", "dgrad-crops-the-end", "dgrad-is-short-of-two", "--quick", "--workers", "1", "--work", "work.jsonl")
    work = place / "work.jsonl"
    run = started(place, *words)
    run.until(lambda: work.exists() and work.read_text().count("\n") >= 1)

    done = interrupted(run)
    first = [json.loads(line) for line in work.read_text().splitlines()]

    clean(done, run, "", 130)
    assert len(first) >= 1
    assert done.stderr.splitlines()[-1] == "convlaws: interrupted; the same command goes on where work.jsonl ends"


def test_a_second_ctrl_c_ends_at_once_and_says_where_the_findings_are(place):
    words = ("check", "im2col", "mutant-wrong-dtype", *NARROW, "--budget", "300", "--workers", "1", "--json", "out.jsonl")
    run = started(place, *words)
    run.until(lambda: (place / "out.jsonl.part").exists() and "broken" in (place / "out.jsonl.part").read_text())

    with suppress(ProcessLookupError):
        os.kill(run.process.pid, signal.SIGINT)
    done = interrupted(run)

    clean(done, run, "", 130)
    kept = [path for path in (place / "out.jsonl", place / "out.jsonl.part") if path.exists()]
    assert len(kept) == 1
    assert "broken" in kept[0].read_text()


# --- in one process -------------------------------------------------------------------------
def test_within_a_block_the_first_is_noted_and_the_second_is_raised():
    with deferred_sigint() as wish:
        signal.raise_signal(signal.SIGINT)
        noted = wish.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    assert noted


def test_a_block_within_a_block_has_the_same_wish():
    with deferred_sigint() as outer, deferred_sigint() as inner:
        signal.raise_signal(signal.SIGINT)

    assert inner is outer
    assert outer.requested


def test_another_thread_may_hurry_the_call_in_flight():
    with deferred_sigint() as wish:
        before = overdue()
        thread = threading.Thread(target=cut_off)
        thread.start()
        thread.join()
        after = overdue()

    assert (before, after, wish.requested) == (False, True, True)
    assert not overdue()


def test_a_call_is_cut_off_a_moment_after_ctrl_c(monkeypatch):
    from convlaws.problem.problem import Problem
    from convlaws.problem.request import Request
    from convlaws.sandbox.sandbox import Sandbox
    from convlaws.targets.registry import get, target_of

    monkeypatch.setattr(interrupt, "MOMENT", -1.0)
    problem = Problem.parse(LINE)
    request = Request(spec=problem.spec, op=problem.op, dtype=problem.dtype, operands=problem.operands)

    with Sandbox() as box, deferred_sigint() as wish:
        wish.press()
        with pytest.raises(Interrupted):
            box.call(target_of(get("im2col")), request)


def test_the_descendants_of_a_process_are_those_of_its_children_too():
    parent = subprocess.Popen(["sh", "-c", "sleep 100 & sleep 100; true"])
    while len(found := descendants(parent.pid)) < 2:
        time.sleep(0.01)
    mine = descendants(os.getpid())

    interrupt.kill([parent.pid, *found])
    parent.wait()

    assert {parent.pid, *found} <= set(mine)
