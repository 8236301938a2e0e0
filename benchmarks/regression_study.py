"""Study of `asv continuous`: compare the code with itself, and with a copy in which one method is slowed.

    python -m benchmarks.regression_study SCRATCH --rounds 5 --bench 'bench_calls.Quick' --docs docs/performance.md

SCRATCH becomes a clone of this repository's HEAD with two more commits: `same`, which changes nothing, and `slow`, in which
each call of one method takes 1.5 times as long. `asv continuous` compares each with the commit before,
`--rounds` times; `asv compare` then shows what other factors would have flagged. The table goes to the docs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .saved import saved
from .study_table import Comparison, document

ROOT = Path(__file__).parent.parent
FACTORS = (1.05, 1.1, 1.25, 1.5)
BASE, SAME, SLOW = "main", "same", "slow"
SLOWER = """

def _slowed(run):
    from time import perf_counter

    def slower(maps, *rest):
        started = perf_counter()
        found = run(maps, *rest)
        if maps.__name__ == "{method}":
            until = started + {times} * (perf_counter() - started)
            while perf_counter() < until:
                pass
        return found

    return slower


run = _slowed(run)
"""


@dataclass(frozen=True)
class Study:
    """A clone in which to measure, and the benchmarks that are measured."""

    where: Path
    bench: str
    attributes: tuple[str, ...]

    def run(self, *command: str, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone and capture its output.

        Raises:
            SystemExit: it failed and `may_fail` is false.
        """
        done = subprocess.run(command, cwd=self.where, capture_output=True, text=True, check=False)
        if done.returncode and not may_fail:
            raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def asv(self, *arguments: str, **options: bool) -> subprocess.CompletedProcess[str]:
        """Run `asv` of this interpreter in the clone."""
        return self.run(sys.executable, "-m", "asv", *arguments, **options)

    def commit(self, branch: str, file: str, text: str) -> None:
        """Create a branch off the base with one commit, which appends `text` to `file`."""
        self.run("git", "checkout", "-q", "-B", branch, BASE)
        path = self.where / file
        path.write_text(path.read_text() + text)
        self.run("git", "-c", "user.name=study", "-c", "user.email=study@localhost", "commit", "-qam", branch)
        self.run("git", "checkout", "-q", BASE)

    def compared(self, branch: str, factor: float) -> Comparison:
        """Run one `asv continuous` of the base and `branch`, and flag its results at the other factors."""
        done = self.asv(
            *("continuous", BASE, branch, "--factor", str(factor), "--bench", self.bench, "--show-stderr"),
            *(part for a in self.attributes for part in ("-a", a)),
            may_fail=True,
        )
        text = done.stdout + done.stderr
        if done.returncode not in (0, 1) or "BENCHMARKS" not in text.upper():
            raise SystemExit(f"asv continuous: exit {done.returncode}\n{text}")
        flags = {f: marks(self.asv("compare", BASE, branch, "--factor", str(f), may_fail=True).stdout) for f in FACTORS}
        return Comparison(branch, done.returncode, self.ratios(branch), flags)

    def ratios(self, branch: str) -> dict[str, float]:
        """Return the later over the earlier value of each benchmark and parameters, as asv saved them."""
        commits = [self.run("git", "rev-parse", b).stdout.strip() for b in (BASE, branch)]
        before, after = (saved(self.where / ".asv/results", commit) for commit in commits)
        both = sorted(before.keys() & after.keys())
        return {f"{name}({', '.join(params)})": after[name, *params] / before[name, *params] for name, *params in both}


def marks(table: str) -> dict[str, str]:
    """Return {benchmark: '+' worse, '-' better, '!' a new failure} of the table that `asv compare` prints."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
    return {row[-1].replace("'", ""): row[0] for row in rows if row[0] in ("+", "-", "!")}


def clone(where: Path, method: str, times: float, **options) -> Study:
    """Return the clone with its two commits; an existing one is reused, as its environment took minutes."""
    study = Study(where, **options)
    if not (where / ".git").exists():
        where.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "clone", "-q", str(ROOT), str(where)], check=True)
        study.run("git", "checkout", "-q", "-B", BASE)
    study.commit(SAME, "README.md", "\n")
    study.commit(SLOW, "harness/convlaws/methods/base.py", SLOWER.format(method=method, times=times))
    study.asv("machine", "--yes")
    return study


def main() -> int:
    """Run the study; print a line per comparison, and the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scratch", type=Path, help="where to clone to; kept")
    parser.add_argument("--bench", default="bench_calls.Quick.time", help="regular expression, as asv takes it")
    parser.add_argument("--attribute", "-a", action="append", default=[], help="as asv takes it: rounds=4")
    parser.add_argument("--rounds", type=int, default=5, help="comparisons with each of the two commits")
    parser.add_argument("--factor", type=float, default=1.25)
    parser.add_argument("--method", default="Im2col", help="the class of maps that is slowed")
    parser.add_argument("--times", type=float, default=1.5)
    parser.add_argument("--docs", type=Path, help="a file with the two markers between which the table goes")
    given = parser.parse_args()
    study = clone(given.scratch.resolve(), given.method, given.times, bench=given.bench, attributes=tuple(given.attribute))
    found = []
    for _ in range(given.rounds):
        for branch in (SAME, SLOW):
            found.append(study.compared(branch, given.factor))
            worse = Counter(found[-1].flags[1.1].values())
            print(f"{branch}: exit {found[-1].exit_code}; at 1.1: {dict(worse)}", flush=True)
    machine = json.loads((Path.home() / ".asv-machine.json").read_text())
    print(document(found, given, next(v for k, v in machine.items() if k != "version"), given.docs))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
