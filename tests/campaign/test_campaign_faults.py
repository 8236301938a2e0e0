"""Whatever is killed, and whenever: no finding is lost, none counts twice, the end is that of an undisturbed campaign."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from campaign_runs import METHODS, SMALL, Started, calm, campaign, differences, kill, records, summary
from commands import typed

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux' /proc")
NIGHTLY = pytest.mark.skipif(not os.environ.get("CONVLAWS_NIGHTLY"), reason="minutes: set CONVLAWS_NIGHTLY=1")


@pytest.fixture(scope="module")
def undisturbed() -> list[dict]:
    """What a small campaign finds to which nothing happens."""
    found = summary(calm())
    assert [f["verdict"] for f in found[:-1]].count("broken") >= 4
    assert found[-1]["shards"] == 4
    return found


def merged(*places: Path, into: Path) -> list[dict]:
    """The findings of all these, without times, the id of the run, and how a failure was come by.

    Two shards may come to the same small line: cases and tries are those of the earlier one, and parts have another order.
    """
    own = ("seconds", "after_seconds", "run", "after", "tries")
    done = typed("merge", *places, "-o", into)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in into.read_text().splitlines()]
    kept = [{k: v for k, v in f.items() if k not in own} for f in found if f["kind"] == "finding"]
    return sorted(kept, key=lambda f: f["id"])


def test_a_folder_its_copy_and_its_file_are_one_campaign(tmp_path):
    copy, run = tmp_path / "copy", calm()
    shutil.copytree(run, copy)

    alone = merged(run / "findings.jsonl", into=tmp_path / "one.jsonl")
    thrice = merged(run, copy, run / "findings.jsonl", into=tmp_path / "three.jsonl")

    assert len(alone) >= 6
    assert thrice == alone


@pytest.mark.nightly
@NIGHTLY
def test_the_parts_of_a_campaign_are_the_whole(tmp_path):
    parts = [tmp_path / f"part{n}" for n in (1, 2)]
    for n, part in enumerate(parts, 1):
        campaign(*SMALL, "--workers", "1", "--threads", "1", "--shard", f"{n}/2", "-o", part)

    together = merged(*parts, into=tmp_path / "all.jsonl")

    assert all(len(records(part)) == 2 for part in parts)
    assert together == merged(calm(), into=tmp_path / "one.jsonl")


def test_a_killed_worker_is_replaced_and_its_shard_judged_again(undisturbed, tmp_path):
    run = Started(*SMALL, "--workers", "2", "--threads", "1", "-o", tmp_path / "run")
    run.until(lambda: records(tmp_path / "run", "failures"))

    killed = kill(run.workers()[:1])
    done = run.ended()

    assert killed == 1
    assert done.returncode == 1, done.stderr
    assert len(records(tmp_path / "run", "death")) == 1
    assert differences(summary(tmp_path / "run"), undisturbed) == []
    assert run.orphans() == {}


@pytest.mark.long
def test_a_killed_campaign_goes_on_where_it_was_does_not_trust_half_a_line_and_leaves_no_process(undisturbed, tmp_path):
    folder = tmp_path / "run"
    run = Started(*SMALL, "--workers", "1", "--threads", "1", "-o", folder)
    run.until(lambda: len(records(folder)) == 2)

    kill([run.process.pid])
    run.process.communicate()
    left = run.orphans()
    path = folder / "records" / "worker-0.jsonl"
    path.write_bytes(path.read_bytes()[: path.read_bytes().rindex(b'"kind": "shard"') + 200])
    before = [record["shard"] for record in records(folder)]
    done = campaign("--resume", folder, "--workers", "2")

    assert left == {}
    assert done.returncode == 1, done.stderr
    judged = [record["shard"] for record in records(folder)]
    assert len(before) == 1
    assert judged[:1] == before
    assert len(judged) == len(set(judged)) == 4
    assert differences(summary(folder), undisturbed) == []


@pytest.mark.parametrize(
    "asked", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=[pytest.mark.nightly, NIGHTLY])], ids=lambda s: s.name
)
def test_who_asks_for_an_end_gets_the_case_and_the_shard_is_judged_whole_later(undisturbed, tmp_path, asked):
    run = Started(*SMALL, "--workers", "1", "--threads", "1", "-o", tmp_path / "run")
    run.until(lambda: records(tmp_path / "run", "failures"))

    os.kill(run.process.pid, asked)
    done = run.ended()
    partial = [record for record in records(tmp_path / "run") if not record["complete"]]
    first = summary(tmp_path / "run")
    again = campaign("--resume", tmp_path / "run", "--workers", "1")

    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert first[-1]["interrupted"] is True
    assert len(partial) == 1
    assert "new failure" in done.stdout
    assert again.returncode == 1, again.stderr
    assert differences(summary(tmp_path / "run"), undisturbed) == []
    assert run.orphans() == {}


def test_a_shard_that_kills_its_worker_twice_is_given_up_and_the_others_are_judged(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os\nfrom scripted.functions import conv2d\n"
        "def conv(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):\n"
        "    if groups > 1: os.kill(os.getpid(), 9)\n"
        "    return conv2d(x, w, b, stride, padding, dilation, groups)\n"
    )
    words = ("im2col", f"{tmp_path}/mine.py:conv", "--law", "homogeneous", "--op", "fprop", "--dtype", "float32")

    done = campaign(*words, "--examples", "20", "--no-sandbox", "--workers", "1", "-o", tmp_path / "run", cwd=tmp_path)

    deaths = records(tmp_path / "run", "death")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "ended its worker 2 times" in done.stderr
    assert len({death["shard"] for death in deaths}) == 1
    assert [death["at"] for death in deaths] == [deaths[0]["at"]] * 2
    assert {f["method"] for f in summary(tmp_path / "run")[:-1] if f["verdict"] == "kept"} == {"im2col"}
    again = campaign("--resume", tmp_path / "run", "--workers", "1", cwd=tmp_path)
    assert again.returncode == 2
    assert len(records(tmp_path / "run", "death")) == 2


@pytest.mark.long
def test_a_full_disk_is_one_sentence_and_costs_nothing_that_was_written(undisturbed, tmp_path):
    run = Started(*SMALL, "--workers", "1", "--threads", "1", "-o", tmp_path / "run")
    run.until(run.workers)
    # no file of the campaign's process may grow any larger: what a full disk does, without a disk; its workers are not held to it
    resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (12_000, 12_000))
    done = run.ended()
    kept = len(records(tmp_path / "run"))

    again = campaign("--resume", tmp_path / "run", "--workers", "1")

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert "cannot be written to any more: File too large" in last
    assert f"campaign --resume {tmp_path / 'run'}" in last
    assert run.orphans() == {}
    assert again.returncode == 1, again.stderr
    assert 0 <= kept < len(records(tmp_path / "run")) == 4
    assert differences(summary(tmp_path / "run"), undisturbed) == []


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.nightly
@NIGHTLY
def test_a_disk_that_has_room_again(undisturbed, tiny_disk):
    filler = tiny_disk / "filler"
    filler.write_bytes(b"\0" * 40_000)
    done = campaign(*SMALL, "--workers", "1", "--threads", "1", "-o", tiny_disk / "run")
    before = records(tiny_disk / "run")
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", tiny_disk], check=True)

    again = campaign("--resume", tiny_disk / "run", "--workers", "1")

    assert done.returncode == 2, done.stdout
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert again.returncode == 1, again.stderr
    after = records(tiny_disk / "run")
    assert after[: len(before)] == before
    assert len(after) == 4
    assert differences(summary(tiny_disk / "run"), undisturbed) == []


# --- the long ones ------------------------------------------------------------------------
LAWS = ("additive-in-*", "homogeneous", "equals-the-definition", "negation-*", "powers-*", "zero-*")
OPS = ("fprop", "dgrad", "wgrad")
NARROWED = (*(word for law in LAWS for word in ("--law", law)), *(word for op in OPS for word in ("--op", op)))
LARGE = (*METHODS, *NARROWED, "--examples", "30", "--dtype", "float32")


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> tuple[list[dict], float]:
    """What the large campaign finds undisturbed, and the seconds from one shard to the next."""
    folder = tmp_path_factory.mktemp("large") / "run"
    began = time.monotonic()
    done = Started(*LARGE, "--workers", "2", "--threads", "1", "-o", folder).ended(3000)
    assert done.returncode == 1, done.stderr
    found = summary(folder)
    print(f"undisturbed: {found[-1]['shards']} shards, {found[-1]['judged']:,} cases, {time.monotonic() - began:.0f} s")
    return found, (time.monotonic() - began) / found[-1]["shards"]


def wait_for_a_shard(run, folder):
    """Until one more is done, or all."""
    before = len(records(folder))
    while run.process.poll() is None and len(records(folder)) == before:
        time.sleep(0.05)


@pytest.mark.nightly
@NIGHTLY
def test_workers_killed_fifty_times(large, tmp_path):
    chance, killed, inside, (found, pace) = random.Random(1), 0, 0, large
    rounds = 0
    while killed < 50:
        rounds += 1
        folder = tmp_path / f"run{rounds}"
        run = Started(*LARGE, "--workers", "2", "--threads", "1", "-o", folder)
        while killed < 50 and run.process.poll() is None:
            time.sleep(chance.uniform(0, 4 * pace))
            killed += kill(chance.sample(workers, 1)) if (workers := run.workers()) else 0
            # two kills at one case of a shard would be taken for its own fault: on a busy machine chance brings that about
            wait_for_a_shard(run, folder)
        done = run.ended(3000)
        inside += sum(death["at"] > 0 for death in records(folder, "death"))

        assert done.returncode == 1, done.stderr
        assert differences(summary(folder), found) == []
        assert run.orphans() == {}
    print(f"{killed} workers killed in {rounds} campaigns, {inside} of them in or after the first case of a shard")
    assert inside >= 10


@pytest.mark.nightly
@NIGHTLY
def test_a_campaign_killed_again_and_again(large, tmp_path):
    chance, killed, (found, pace) = random.Random(7), 0, large
    words = (*LARGE, "--workers", "2", "--threads", "1", "-o", tmp_path / "run")
    while True:
        run = Started(*words)
        try:
            done = run.ended(chance.uniform(1, 8) * pace if killed < 12 else 3000)
            break
        except subprocess.TimeoutExpired:
            kill([run.process.pid])
            run.process.communicate()
            killed += 1
            assert run.orphans() == {}
        words = ("--resume", tmp_path / "run", "--workers", "2")

    print(f"killed {killed} times")
    shards = [record["shard"] for record in records(tmp_path / "run") if record["complete"]]
    assert killed >= 5
    assert done.returncode == 1, done.stderr
    assert len(shards) == len(set(shards))
    assert differences(summary(tmp_path / "run"), found) == []
