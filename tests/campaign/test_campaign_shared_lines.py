"""Failing lines that machines share: a directory, a real Redis that goes and comes back, an address that is none."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest
from campaign_runs import Started, campaign, records

from convlaws.campaign.corpus import parsed, read, text_of
from convlaws.campaign.shared_lines import Shared
from convlaws.errors import UsageError

LINE = ("im2col", "homogeneous", ("n1c1k1_x2_r1_s1_p0_d1_g1 fprop float32 contiguous integers seed=0",))
LATER = ("im2col", "additive-in-x", ("n1c1k1_x3_r1_s1_p0_d1_g1 fprop float32 contiguous integers seed=0",))
ONE = ("mutant-forgotten-dilation", "--law", "equals-the-definition", "--op", "fprop", "--dtype", "float32")


@contextmanager
def redis_server(port: int, folder):
    """A real server that keeps all it is told."""
    command = ["redis-server", "--port", str(port), "--appendonly", "yes", "--appendfsync", "always", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def port() -> int:
    pytest.importorskip("redis", reason="redis is not installed: pip install 'convlaws[redis]'")
    if not shutil.which("redis-server"):
        pytest.skip("there is no redis-server: apt install redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_the_lines_of_one_machine_are_those_that_another_judges_first(tmp_path):
    shared = ("--database", tmp_path / "database", "--workers", "1", "--no-sandbox")
    first = campaign(*ONE, "--examples", "20", *shared, "-o", tmp_path / "one")

    second = campaign(*ONE, "--examples", "20", "--seed", "9", *shared, "-o", tmp_path / "two")

    assert (first.returncode, second.returncode) == (1, 1), first.stderr + second.stderr
    lines = read(tmp_path / "one" / "corpus.txt")
    replayed = records(tmp_path / "two")[0]
    assert lines
    assert {cell["problem"] for cell in replayed["cells"] if cell["verdict"] != "kept"} == {line[2][-1] for line in lines}


def test_redis_is_killed_and_comes_back_and_gets_what_it_missed(port, tmp_path):
    address = f"redis://127.0.0.1:{port}"
    with redis_server(port, tmp_path):
        shared = Shared(address)
        shared.save([LINE])
    shared.save([LATER])
    away = shared.away

    with redis_server(port, tmp_path):
        shared.close()
        found = Shared(address).load(["im2col"], ["homogeneous", "additive-in-x"])

    assert "refused" in away or "closed" in away.lower() or "127.0.0.1" in away
    assert found == sorted([LINE, LATER])


def test_a_campaign_outlives_its_redis(port, tmp_path):
    address = f"redis://127.0.0.1:{port}"
    out = tmp_path / "run"
    words = (*ONE, "--examples", "20", "--database", address, "--workers", "1", "--no-sandbox", "-o", out)
    with redis_server(port, tmp_path):
        run = Started(*words)
        run.until((out / "plan.json").exists)
    done = run.ended()

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "failing lines could not be put into" in done.stderr.splitlines()[-1]
    assert read(out / "corpus.txt")
    with redis_server(port, tmp_path):
        again = campaign("--resume", out, "--database", address)
        kept = Shared(address).load([ONE[0]], ["equals-the-definition"])
    assert again.returncode == 1, again.stderr
    assert kept == read(out / "corpus.txt")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("redis://127.0.0.1:1", "does not answer"),
        ("github:nobody", "should be github:OWNER/REPOSITORY"),
    ],
)
def test_an_address_that_is_none(address, said):
    if address.startswith("redis"):
        pytest.importorskip("redis", reason="redis is not installed")

    with pytest.raises(UsageError, match=said):
        Shared(address)


def test_a_corpus_keeps_what_has_to_run_before():
    entry = (*LINE[:2], ("n1c1k1_x1_r1_s1_p0_d1_g1 fprop float32 contiguous integers seed=0", *LINE[2]))

    assert parsed(text_of([entry]).strip()) == entry


@pytest.mark.parametrize("row", ["", "# a comment", "n1c1k1_x1_r1", 'what?  # {"method": "a", "law": "b", "after": []}'])
def test_a_row_that_is_no_entry_is_none(row):
    assert parsed(row) is None
