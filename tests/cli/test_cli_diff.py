"""`convlaws diff` on real runs: of one function of a user's in several states, under one name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import refused, typed

RIGHT = (Path(__file__).parents[2] / "examples" / "in_numpy.py").read_text()
STATES = {
    "right": RIGHT,
    "wrong": RIGHT.replace("windows, w)", "windows, w[..., ::-1])"),
    "double": RIGHT.replace("else np.float32", "else np.float64"),
}
CALLED = ("--signature", "conv1d", "--arrays", "numpy")
NARROW = ("--law", "equals-the-definition", "--dtype", "float32", "--examples", "20", "--workers", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A file mine.py in which a function changes, and what `check` wrote of each state."""
    made = tmp_path_factory.mktemp("runs")
    for state, source in STATES.items():
        put(made, source)
        done = typed("check", "mine.py:conv1d", *CALLED, *NARROW, "--json", f"{state}.jsonl", cwd=made)
        assert done.returncode == (state == "wrong"), done.stdout + done.stderr
    put(made, RIGHT)
    typed("check", "mine.py:conv1d", *CALLED, *NARROW, "--seed", "7", "--json", "elsewhere.jsonl", cwd=made)
    return made


def put(folder: Path, source: str) -> None:
    (folder / "mine.py").write_text(source)
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)  # two states of a file within a second look alike to it


def test_what_broke_ends_with_1_and_shows_its_line(folder):
    done = typed("diff", "right.jsonl", "wrong.jsonl", cwd=folder)

    assert done.returncode == 1, done.stderr
    assert "mine.py:conv1d breaks equals-the-definition (fprop)" in done.stdout
    assert "  kept on 20 examples -> broken in " in done.stdout
    wrong = json.loads((folder / "wrong.jsonl").read_text().splitlines()[0])
    assert wrong["problem"] in done.stdout.splitlines()
    assert "1 broke; 0 kept by both" in done.stdout


def test_what_was_fixed_ends_with_0(folder):
    done = typed("diff", "wrong.jsonl", "right.jsonl", cwd=folder)

    assert done.returncode == 0, done.stderr
    assert "\nfixed:\n" in done.stdout
    assert "1 fixed; 0 kept by both" in done.stdout


def test_a_run_and_itself_do_not_differ(folder):
    done = typed("diff", "right.jsonl", "right.jsonl", cwd=folder)

    assert done.returncode == 0
    assert "the same environment, command and seed" in done.stdout
    assert "nothing changed; 1 kept by both" in done.stdout


def test_the_same_problems_make_a_worst_ratio_comparable(folder):
    (folder / "lines.txt").write_text("n4c64k8_x64_r9 fprop float32 contiguous normal seed=0\n")
    for state in ("right", "double"):
        put(folder, STATES[state])
        words = ("--law", "equals-the-definition", "--problems", "lines.txt", "--json", f"line-{state}.jsonl")
        typed("check", "mine.py:conv1d", *CALLED, *words, cwd=folder)

    done = typed("diff", "line-right.jsonl", "line-double.jsonl", "--json", cwd=folder)

    [found] = json.loads(done.stdout)["changes"]
    assert found["change"] == "ratio moved"
    assert found["old"]["worst_ratio"] > 2 * found["new"]["worst_ratio"] > 0
    assert "better, on the same 1 example)" in found["note"]


def test_other_draws_change_nothing(folder):
    done = typed("diff", "right.jsonl", "elsewhere.jsonl", cwd=folder)

    assert done.returncode == 0
    assert "seed  0            7" in done.stdout
    assert "1 kept by both on different problems, whose worst ratios cannot be compared" in done.stdout


@pytest.mark.parametrize(
    ("now", "change", "note"),
    [
        ("right", "fixed", "the old line is kept here, 3 of 3 times"),
        ("wrong", "still fails", "the old line fails here, 3 of 3 times"),
    ],
)
def test_a_recheck_runs_the_old_line_on_what_is_there(now, change, note, folder):
    put(folder, STATES[now])

    done = typed("diff", "wrong.jsonl", "right.jsonl", "--recheck", *CALLED, "--json", cwd=folder)

    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)["changes"]
    assert (found["change"], found["note"]) == (change, note)


def test_a_recheck_of_what_is_not_there_says_so(folder):
    (folder / "mine.py").unlink()

    done = typed("diff", "wrong.jsonl", "right.jsonl", "--recheck", *CALLED, cwd=folder)

    assert "the old line cannot be run here: " in done.stdout
    assert "there is no file mine.py" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "new.jsonl cannot be read: No such file"), ("", "has no findings"), ("{", ":1: no JSON")],
    ids=["missing", "empty", "torn"],
)
def test_a_file_that_is_no_run_is_refused_in_a_line(text, said, folder, tmp_path):
    if text is not None:
        (tmp_path / "new.jsonl").write_text(text)

    err = refused("diff", folder / "right.jsonl", tmp_path / "new.jsonl", by=typed)

    assert said in err
    assert err.count("\n") == 1
