"""The command as it is typed: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch
from xml.etree import ElementTree as xml

import pytest
from commands import COMMAND, convlaws, records, refused, typed

from convlaws.search.search import Search

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
LINE = "n1c1k1_x3_r2_s1_p0_d2_g1 fprop float32 contiguous integers seed=0"
ONE_LAW = ("--law", "equals-the-definition", "--examples", "20", "--workers", "1")
NARROW = ("--op", "fprop", "--dtype", "float32")


# --- list ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("what", "name"),
    [("methods", "im2col"), ("engines", "torch-onednn"), ("laws", "equals-the-definition"), ("contracts", "plain")],
)
def test_tables_are_listed_for_people_and_for_programs(what, name):
    plain, as_json = typed("list", what), typed("list", what, "--json")

    assert (plain.returncode, as_json.returncode) == (0, 0)
    assert any(line.startswith(name) for line in plain.stdout.splitlines())
    assert name in {row["name"] for row in json.loads(as_json.stdout)}
    assert all(row["says"] for row in json.loads(as_json.stdout))


# --- check ---------------------------------------------------------------------------------
def test_a_right_method_ends_with_0():
    done = typed("check", "im2col", *ONE_LAW, *NARROW)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "no new failure" in done.stdout


def test_a_mutant_ends_with_1_and_leaves_records(tmp_path):
    out, suite = tmp_path / "new" / "out.jsonl", tmp_path / "out.xml"

    done = typed("check", "mutant-forgotten-dilation", *ONE_LAW, *NARROW, "--json", out, "--junit", suite)

    assert done.returncode == 1
    *found, summary = records(out)
    assert {r["kind"] for r in found} == {"finding"}
    wanted = {"method", "law", "op", "verdict", "problem", "message", "examples", "seconds", "worst_ratio", "id"}
    assert all(wanted <= r.keys() for r in found)
    assert summary["kind"] == "summary"
    assert summary["seed"] == 0
    broken = [r for r in found if r["verdict"] == "broken"]
    assert LINE in [r["problem"] for r in broken]
    assert all(len(json.dumps(r["evidence"])) <= 4096 for r in broken)
    assert LINE in done.stdout
    cases = xml.parse(suite).getroot().findall("testsuite/testcase")
    assert [c.get("name") for c in cases if c.find("failure") is not None]


def test_two_workers_find_what_one_finds(tmp_path):
    methods = ("im2col", "mutant-flipped-kernel", "scatter", "mutant-wrong-dtype")
    words = ("check", *methods, *NARROW, "--law", "equals-the-definition", "--examples", "20", "--seed", "3")

    for workers, by in (("1", typed), ("2", convlaws)):
        by(*words, "--workers", workers, "--json", tmp_path / f"{workers}.jsonl")

    one, two = ({(r["method"], r["op"], r["verdict"]) for r in records(tmp_path / f"{n}.jsonl")[:-1]} for n in ("1", "2"))
    assert one == two


def test_nothing_verified_ends_with_5():
    done = typed("check", "winograd2", "--op", "wgrad", "--law", "homogeneous", "--examples", "20")

    assert done.returncode == 5


def test_without_a_sandbox_it_is_the_same():
    done = convlaws("check", "im2col", *ONE_LAW, *NARROW, "--no-sandbox")

    assert done.returncode == 0


def test_a_file_of_problems_is_judged_line_by_line(tmp_path):
    problems, out = tmp_path / "problems.txt", tmp_path / "out.jsonl"
    problems.write_text(f'# ours, then benchdnn\'s\n{LINE}\n\ng2mb1ic4ih8oc6oh8kh3sh1dh0ph1n"named"\n')

    done = typed("check", "im2col", "--law", "equals-the-definition", "--problems", problems, "--json", out)

    assert done.returncode == 0, done.stdout + done.stderr
    [finding, _] = records(out)
    assert (finding["verdict"], finding["examples"], finding["message"]) == ("kept", 2, "on 2 examples only")
    assert "1 (method, law, op) kept (1 of them on less than 20 examples, the least is 2)" in done.stdout


def test_every_failing_line_of_a_file_is_shown(tmp_path):
    lines = [f"n1c1k1_x{x}_r2_s1_p0_d2_g1 fprop float32 contiguous integers seed=0" for x in range(3, 18)]
    (tmp_path / "problems.txt").write_text("\n".join(lines))
    words = ("--law", "equals-the-definition", "--problems", tmp_path / "problems.txt")

    done = typed("check", "mutant-forgotten-dilation", *words)

    assert done.returncode == 1
    assert set(lines) <= set(done.stdout.splitlines())
    assert "15 new failures" in done.stdout


# --- bad input: one line, exit 2 -----------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "im2cool"), "no method or engine 'im2cool'; near: im2col"),
        (("check", "im2col", "--law", "homogenous"), "no law 'homogenous'; near: homogeneous"),
        (("check", "im2col", "--law", "nothing"), "no law 'nothing'; near: nothing-outside-is-read"),
        (("check", "im2col", "--law", "zz"), "no law 'zz'; 'convlaws list laws' shows all"),
        (("check", "im2col", "--contract", "plane"), "plane"),
        (("check", "mine.py"), "'mine.py' is a file: name a function in it, mine.py:FUNCTION"),
        (("check", "im2col", "--budget", "1", "--examples", "1"), "exclude each other"),
        (("check", "im2col", "--problems", "/nowhere/p.txt"), "/nowhere/p.txt cannot be read: No such file"),
        (("check", "nowhere.at_all:conv2d", *ONE_LAW), "nowhere.at_all cannot be imported: ModuleNotFoundError"),
        (("check", "missing.py:conv2d", *ONE_LAW), "there is no file missing.py"),
        (("check", f"{EXAMPLES}/right.py:conv3d", *ONE_LAW), "right.py has no 'conv3d'; it has conv2d"),
        (("repeat", "n1c1k1_x3_r1_p-2", "im2col"), "axis 0: the padding takes 4, the input has 3"),
        (("repeat", "im2col"), "repeat takes at least one problem line"),
    ],
    ids=lambda value: None if isinstance(value, tuple) else value[:24],
)
def test_a_request_that_makes_no_sense_is_refused_in_a_line(words, said, tmp_path):
    err = refused(*words, cwd=tmp_path, by=typed)

    assert said in err
    assert err.startswith("convlaws: ")
    assert err.count("\n") == 1


def test_a_bad_line_of_a_file_is_named_by_its_number(tmp_path):
    (tmp_path / "p.txt").write_text(f"{LINE}\n\nn1c1k1_x3_r1_p-2\n")

    err = refused("check", "im2col", "--problems", tmp_path / "p.txt", by=typed)

    assert f"{tmp_path}/p.txt:3: axis 0: the padding takes 4, the input has 3" in err


def test_a_path_that_cannot_be_written_is_refused_before_the_search(tmp_path):
    (tmp_path / "file").write_text("")
    with patch.object(Search, "run", side_effect=AssertionError("it searched")):
        err = refused("check", "im2col", "--json", tmp_path / "file" / "out.jsonl", by=typed)

    assert f"cannot write {tmp_path}/file/out.jsonl" in err


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def conv2d(input):\n    return input\n", "has the parameters (input), but conv2d calls it with 7"),
        ("conv2d = 3\n", "is 3 of type int, not a function"),
        ("raise OSError('no licence')\n", "cannot be imported: OSError: no licence (mine.py, line 1)"),
        ("import os\nos._exit(7)\n", "mine.py:conv2d cannot be opened: the process that imports it ended with exit status 7"),
        ("def conv2d(:\n", "cannot be imported: SyntaxError"),
    ],
    ids=["signature", "number", "raises", "exits", "syntax"],
)
def test_a_function_that_cannot_be_called_is_refused_in_a_line(source, said, tmp_path):
    (tmp_path / "mine.py").write_text(source)

    err = refused("check", "mine.py:conv2d", *ONE_LAW, cwd=tmp_path)

    assert said in err


# --- repeat -------------------------------------------------------------------------------
def test_repeat_shows_the_failure_again_and_ends_with_1():
    done = typed("repeat", LINE, "mutant-forgotten-dilation", "--law", "equals-the-definition")

    assert done.returncode == 1
    assert "mutant-forgotten-dilation breaks equals-the-definition (fprop)" in done.stdout
    assert done.stdout.rstrip().endswith(LINE)


def test_repeat_of_what_is_kept_ends_with_0():
    done = typed("repeat", LINE, "im2col", "--law", "equals-the-definition")

    assert done.returncode == 0


def test_a_script_shows_the_failure_without_convlaws(tmp_path):
    line = "n1c1k1_x1x3_r1x2_s1x2_p0x0_d1x2_g1 fprop float32 contiguous integers seed=0"
    script, target = tmp_path / "shows.py", f"{EXAMPLES}/forgets_dilation.py:conv2d"

    done = typed("repeat", line, target, "--law", "equals-the-definition", "--script", script)
    alone = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 1
    assert alone.returncode == 1, alone.stderr
    assert "Traceback" not in alone.stderr
    assert "import convlaws" not in script.read_text()


# --- Ctrl-C ----------------------------------------------------------------------------------
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_keeps_what_was_found(workers, tmp_path):
    out = tmp_path / "out.jsonl"
    words = ("check", "im2col", "mutant-wrong-dtype", *NARROW, "--budget", "120", "--workers", workers, "--json", out)
    running = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )

    part = tmp_path / "out.jsonl.part"
    while running.poll() is None and not (part.exists() and '"verdict": "broken"' in part.read_text()):
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGINT)
    stdout, stderr = running.communicate(timeout=60)

    assert running.returncode == 130, stderr
    assert "Traceback" not in stderr
    *found, summary = records(out)
    assert any(r["verdict"] == "broken" for r in found)
    assert summary["interrupted"] is True
    assert "mutant-wrong-dtype breaks" in stdout
