"""How fast the harness is, as its users meet it: one line for each figure, with the command that repeats it.

python benchmarks/speed.py            every line, in about seven minutes on two cores
python benchmarks/speed.py numpy      the lines whose name begins so
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
CHECK = (sys.executable, "-m", "convlaws", "check")
NUMPY = (f"{HERE.parent}/examples/in_numpy.py:conv1d", "--arrays", "numpy")
TORCH = "from torch.nn.functional import conv2d\n"
TABLE_SECONDS = 120


def timed(*words: str) -> tuple[float, int, str]:
    """Return seconds, exit code and the last line of a command."""
    began = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return time.perf_counter() - began, done.returncode, (done.stdout.strip().splitlines() or [""])[-1]


def wrote(text: str, folder: str) -> str:
    """Write a file of a function named conv2d; return its target."""
    path = Path(folder, "mine.py")
    path.write_text(text)
    return f"{path}:conv2d"


def judged() -> Iterator[str]:
    """Judged answers a second, on one core and on two."""
    here = [str(core) for core in sorted(os.sched_getaffinity(0))]
    for cores in (here[0], ",".join(here[:2])):
        _, _, said = timed("taskset", "-c", cores, sys.executable, str(HERE / "judging.py"))
        rates = [float(word.replace(",", "")) for word in said.partition(":")[2].split()]
        yield f"{median(rates):8,.0f} judged answers a second on core {cores}    taskset -c {cores} python benchmarks/judging.py"


def numpy() -> Iterator[str]:
    """A NumPy function: when a run of one second ends, and what it verified."""
    seconds, code, said = timed(*CHECK, *NUMPY, "--budget", "1")
    yield f"{seconds:8.1f} s, exit {code}: {said}    convlaws check examples/in_numpy.py:conv1d --arrays numpy --budget 1"


def torch() -> Iterator[str]:
    """F.conv2d as a user's function: when a run of twenty seconds ends."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, code, said = timed(*CHECK, wrote(TORCH, folder), "--budget", "20")
        yield f"{seconds:8.1f} s, exit {code}: {said}    convlaws check FILE:conv2d --budget 20"


def first() -> Iterator[str]:
    """Seconds from the shell to the first (method, law, op) that is judged, without any option but the file."""
    for name, command in (("NumPy", "examples/in_numpy.py:conv1d --arrays numpy"), ("torch", "FILE:conv2d")):
        with tempfile.TemporaryDirectory() as folder:
            words = (*CHECK, *(NUMPY if name == "NumPy" else (wrote(TORCH, folder),)), "--json", str(Path(folder, "found.jsonl")))
            began = time.perf_counter()
            run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while run.poll() is None and not any(map(_has_verdict, Path(folder).glob("*found.jsonl*"))):
                time.sleep(0.02)
            seconds = time.perf_counter() - began
            run.kill()
            run.wait()
        yield f"{seconds:8.1f} s to the first verdict on a {name} function    convlaws check {command} --json FILE"


def _has_verdict(path: Path) -> bool:
    lines = path.read_text().splitlines()
    return any('"kind": "finding"' in line and json.loads(line)["examples"] for line in lines if line.endswith("}"))


def table() -> Iterator[str]:
    """The whole table: cases a second and core, and what is vacuous for too few examples."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "all.jsonl")
        words = (*CHECK, "*", "--budget", str(TABLE_SECONDS), "--json", str(out))
        seconds, _, _ = timed(*words)
        records = [json.loads(line) for line in out.read_text().splitlines()]
    asked = [r for r in records if r["kind"] == "finding" and r["verdict"] != "refused"]
    cores = min(len(os.sched_getaffinity(0)), 8)
    command = f"convlaws check '*' --budget {TABLE_SECONDS}"
    yield f"{records[-1]['judged'] / records[-1]['seconds'] / cores:8,.0f} cases a second and core    {command}"
    few = sum(r["verdict"] == "vacuous" for r in asked)
    yield f"{few / len(asked):8.1%} vacuous, {few:,} of {len(asked):,} (method, law, op), after {seconds:.0f} s    {command}"


def oracle() -> Iterator[str]:
    """R, S and n by the oracle beside one float64 convolution of torch."""
    import numpy as np
    import torch as library

    from convlaws.oracle.oracle import answer
    from convlaws.problem.problem import Problem

    ratios = []
    for line in (
        "n2c16k16_x28x28_r3x3_s1x1_p1x1_d1x1_g1",
        "n1c8k8_x64x64_r3x3_s1x1_p1x1_d1x1_g1",
        "n4c4k8_x32x32_r5x5_s2x2_p2x2_d1x1_g1",
    ):
        p = Problem.parse(f"{line} fprop float32 normal")
        x, w = (library.from_numpy(np.array(p.operands[role], np.float64)) for role in ("x", "w"))
        spec = p.spec
        pad = [low for low, _ in spec.sides]
        ours = _median(lambda p=p: answer(p.spec, p.op, p.operands))
        theirs = _median(lambda x=x, w=w, spec=spec, pad=pad: library.nn.functional.conv2d(x, w, None, spec.stride, pad))
        ratios.append(ours / theirs)
    yield f"{median(ratios):8.1f} x one float64 convolution of torch: R, S, n by the oracle    python benchmarks/speed.py oracle"


def _median(call: Callable[[], object]) -> float:
    times = []
    for _ in range(9):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return median(times)


LINES = (judged, numpy, torch, first, oracle, table)

if __name__ == "__main__":
    for lines in LINES:
        if not sys.argv[1:] or any(lines.__name__.startswith(word) for word in sys.argv[1:]):
            for line in lines():
                print(line, flush=True)
