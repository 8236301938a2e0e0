"""Campaigns on a Dask cluster on loopback, whose workers and scheduler are killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
from campaign_runs import SMALL, Started, calm, campaign, differences, kill, records, summary

pytest.importorskip("distributed", reason="distributed is not installed: pip install 'convlaws[dask]'")
WORDS = (*SMALL, "--workers", "1", "--threads", "1")


@contextmanager
def program(name: str, *words: object):
    """A program of Dask's, with what it says."""
    command = [sys.executable, "-m", "distributed.cli.dask_" + name, *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        kill([process.pid])
        process.wait()
        process.stderr.close()


def address_of(scheduler: subprocess.Popen) -> str:
    """Where it listens, as it says itself."""
    for line in scheduler.stderr:
        if found := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
            return found[1]
    raise AssertionError("the scheduler ended")


def worker(address: str):
    return program("worker", address, "--nthreads", 1, "--no-dashboard", "--no-nanny")


@pytest.fixture(scope="module")
def undisturbed() -> list[dict]:
    """What the same campaign finds on this machine alone."""
    return summary(calm())


def test_a_dask_worker_is_killed_and_another_takes_its_shard(undisturbed, tmp_path):
    with program("scheduler", "--port", 0, "--no-dashboard") as scheduler:
        address = address_of(scheduler)
        with worker(address) as first, worker(address):
            run = Started(*WORDS, "--dask", address, "-o", tmp_path / "run")
            run.until(lambda: records(tmp_path / "run"))

            kill([first.pid])
            done = run.ended()

    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert differences(summary(tmp_path / "run"), undisturbed) == []
    assert run.orphans() == {}


@pytest.mark.long
def test_the_scheduler_is_killed_and_the_campaign_goes_on_here(undisturbed, tmp_path):
    with program("scheduler", "--port", 0, "--no-dashboard") as scheduler:
        address = address_of(scheduler)
        with worker(address):
            run = Started(*WORDS, "--dask", address, "-o", tmp_path / "run")
            run.until(lambda: records(tmp_path / "run"))
            before = {record["shard"] for record in records(tmp_path / "run")}

            kill([scheduler.pid])
            done = run.ended()
    again = campaign("--resume", tmp_path / "run", "--workers", "1")

    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert f"the Dask scheduler at {address} is gone" in done.stderr.splitlines()[-1]
    assert again.returncode == 1, again.stderr
    after = [record["shard"] for record in records(tmp_path / "run")]
    assert before < set(after)
    assert len(after) == len(set(after)) == 4
    assert differences(summary(tmp_path / "run"), undisturbed) == []


@pytest.mark.nightly
@pytest.mark.skipif(not os.environ.get("CONVLAWS_NIGHTLY"), reason="a cluster of its own: set CONVLAWS_NIGHTLY=1")
def test_a_cluster_of_its_own(undisturbed, tmp_path):
    done = campaign(*WORDS, "--dask", "local", "-o", tmp_path / "run")

    assert done.returncode == 1, done.stderr
    assert differences(summary(tmp_path / "run"), undisturbed) == []


def test_an_address_where_nobody_answers(tmp_path):
    done = campaign(*WORDS, "--dask", "tcp:127.0.0.1:x", "-o", tmp_path / "run")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no Dask scheduler answers at tcp:127.0.0.1:x" in done.stderr
