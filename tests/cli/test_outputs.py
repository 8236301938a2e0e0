"""The files of a run: nothing that was there before is lost, and nothing that was found, however the run ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest
from commands import typed
from findings_made import made
from long_tables import sliced

from convlaws.cli.outputs import OutputFile, Outputs
from convlaws.errors import UsageError
from convlaws.records.finding import Verdict
from convlaws.records.merge import merged

COMMAND = (sys.executable, "-m", "convlaws")
OLD = made(law="of-the-run-before").to_line() + "\n"
LONG = ("check", "im2col", "mutant-wrong-dtype", "--op", "fprop", "--dtype", "float32", "--budget", "300")


SHORT = ("im2col", "--law", "homogeneous", "--op", "fprop", "--dtype", "float32", "--examples", "20")


def started(*words) -> subprocess.Popen:
    return subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def until(ready, process: subprocess.Popen, seconds: float = 120.0) -> None:
    """Wait for something that the process does."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.1)


def has_a_failure(path: Path) -> bool:
    return path.exists() and any('"verdict": "broken"' in line for line in path.read_text().splitlines())


@pytest.mark.parametrize("workers", sliced(["1", "2"], ["1"]))
def test_a_killed_run_leaves_what_it_had_found_and_the_file_of_the_run_before(workers, tmp_path):
    out, suite = tmp_path / "out.jsonl", tmp_path / "out.xml"
    out.write_text(OLD)
    suite.write_text("<old/>")
    running = started(*LONG, "--workers", workers, "--json", out, "--junit", suite)
    part, xml_part = tmp_path / "out.jsonl.part", tmp_path / "out.xml.part"
    # the files are written one after the other, so the later one may be behind
    until(lambda: has_a_failure(part) and "<failure" in xml_part.read_text(), running)

    os.killpg(running.pid, signal.SIGKILL)
    running.communicate(timeout=30)

    assert out.read_text() == OLD
    assert suite.read_text() == "<old/>"
    run = merged([part])
    assert Verdict.BROKEN in {f.verdict for f in run.findings if f.method == "mutant-wrong-dtype"}
    assert run.summaries[0]["unfinished"] is True
    assert run.summaries[0]["environment"]["versions"]["torch"]
    assert run.notes == [f"{part}: a run was ended before it was done; what it had found until then is here"]
    assert xml.parse(xml_part).getroot().find(".//failure") is not None


def test_the_run_after_a_killed_one_takes_nothing_from_it(tmp_path):
    out, left = tmp_path / "out.jsonl", tmp_path / "out.jsonl.part"
    left.write_text(OLD)
    done = typed("check", *SHORT, "--json", out)

    assert done.returncode == 0, done.stderr
    assert left.read_text() == OLD
    assert json.loads(out.read_text().splitlines()[-1])["unfinished"] is False
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.jsonl", "out.jsonl.part"]


@pytest.mark.parametrize(
    "words",
    [
        ("im2cool",),
        ("im2col", "--problems", "/nowhere/p.txt"),
        ("nowhere.at_all:conv2d", "--law", "homogeneous", "--examples", "20"),
        ("im2col", "--junit", "/proc/none/x.xml"),
        ("im2col", "--budget", "1", "--examples", "1"),
    ],
    ids=lambda words: words[0] + words[1] if len(words) > 1 else words[0],
)
def test_bad_input_leaves_the_old_file_and_nothing_beside_it(words, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text(OLD)

    done = typed("check", *words, "--json", out)

    assert done.returncode == 2, done.stdout
    assert done.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]
    assert out.read_text() == OLD


def test_what_was_found_before_an_error_is_kept_and_the_error_says_where(tmp_path):
    out = tmp_path / "out.jsonl"
    (tmp_path / "mine.py").write_text(
        # loads for the first calls, then its process cannot be opened any more
        "import pathlib\nfrom scripted.functions import conv2d\n"
        "seen = pathlib.Path(__file__).with_name('calls')\n"
        "if seen.exists(): raise OSError('the licence ran out')\n"
        "def conv(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):\n"
        "    if dilation not in (1, (1,), (1, 1)):\n"
        "        seen.write_text('')\n"
        "        import os; os._exit(3)\n"
        "    return conv2d(x, w, b, stride, padding, dilation, groups)\n"
    )
    words = ("check", f"{tmp_path}/mine.py:conv", "--op", "fprop", "--dtype", "float32", "--examples", "20", "--workers", "1")

    done = subprocess.run([*COMMAND, *words, "--json", out], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "the licence ran out" in done.stderr
    kept = out if out.exists() else tmp_path / "out.jsonl.part"
    assert kept.name in done.stderr or kept is out
    assert "crashed" in {f.verdict for f in merged([kept]).findings}


def test_an_interrupted_run_writes_its_file_and_no_part(tmp_path):
    out = tmp_path / "out.jsonl"
    running = started(*LONG, "--workers", "2", "--json", out)
    until(lambda: has_a_failure(tmp_path / "out.jsonl.part"), running)

    os.killpg(running.pid, signal.SIGINT)
    running.communicate(timeout=120)

    assert running.returncode == 130
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]
    assert merged([out]).summaries[0]["interrupted"] is True


def test_a_reader_that_goes_away_does_not_cost_the_file(tmp_path):
    out = tmp_path / "out.jsonl"
    reading, writing = os.pipe()
    os.close(reading)

    subprocess.run([*COMMAND, "check", *SHORT, "--json", out], stdout=writing, stderr=subprocess.DEVNULL, check=False)
    os.close(writing)

    assert [f.verdict for f in merged([out]).findings] == [Verdict.KEPT]


# --- parts ----------------------------------------------------------------------------------
def texts(findings, done):
    return f"{len(findings)} {done}"


def test_a_part_is_whole_at_any_time_and_becomes_the_file_at_the_end(tmp_path):
    part = OutputFile(tmp_path / "new" / "out", texts)

    part.write([made()])
    between = (tmp_path / "new" / "out.part").read_text(), (tmp_path / "new" / "out").exists()
    part.write([made(), made()], done=True)

    assert between == ("1 False", False)
    assert [(p.name, p.read_text()) for p in (tmp_path / "new").iterdir()] == [("out", "2 True")]


def test_two_runs_with_one_file_do_not_write_into_each_others_part(tmp_path):
    one, two = OutputFile(tmp_path / "out", texts), OutputFile(tmp_path / "out", texts)

    one.write([made()])
    two.write([])

    assert (tmp_path / "out.part").read_text() == "1 False"
    assert (tmp_path / "out.part2").read_text() == "0 False"


def test_a_link_stays_a_link_and_a_mode_stays(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)

    OutputFile(link, texts).write([], done=True)

    assert link.is_symlink()
    assert real.read_text() == "0 True"
    assert real.stat().st_mode & 0o777 == 0o600


def test_what_is_no_regular_file_is_written_to_and_not_replaced():
    done = subprocess.run(
        [*COMMAND, "check", *SHORT, "--json", "/dev/stderr"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0
    assert json.loads(done.stderr.splitlines()[-1])["kind"] == "summary"
    assert Path("/dev/null").is_char_device()


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UsageError, match=r"cannot write .*: Is a directory"):
        OutputFile(tmp_path, texts)


def test_of_each_cell_the_latest_is_kept(tmp_path):
    outputs = Outputs({tmp_path / "out": lambda findings, done: " ".join(str(f.examples) for f in findings)})

    outputs.see({"findings": [made(examples=1), made(law="other", examples=5)]})
    outputs.see({"findings": [made(examples=2)]})
    outputs.see({"progress": 0.5})
    deadline = time.monotonic() + 20
    while (tmp_path / "out.part").read_text() != "2 5" and time.monotonic() < deadline:
        time.sleep(0.01)

    assert (tmp_path / "out.part").read_text() == "2 5"
    assert outputs.abandon() == f"; what was found until then is in {tmp_path / 'out.part'}"
