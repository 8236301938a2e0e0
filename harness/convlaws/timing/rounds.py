"""Rounds: the methods are timed on a problem in turn, repeatedly, so that a burst of other load affects all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from convlaws.problem.catalogues import times
from convlaws.problem.problem import Problem
from convlaws.records.timing_file import Timing
from convlaws.sandbox.runner import Runner
from convlaws.targets.registry import Method
from convlaws.timing.roofline import Machine
from convlaws.timing.trial import Judged, Trial

ROUNDS = 5
LEAST = 0.02  # minimum of seconds for a method on a problem
# overrides a process spec's own variables, set for a sandbox whose children share the cores; here one computes at a time
VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
SPIN = {"GOMP_SPINCOUNT": "300000"}  # libgomp's own default: threads that sleep immediately would be slow to start


@dataclass
class Comparison:
    """The methods to compare, and the settings: calls are timed for `budget` seconds, for all problems together."""

    methods: Sequence[Method]
    runner: Runner
    budget: float
    threads: int = 1
    notify: Callable[[str], None] = lambda text: None

    def run(self, problems: Sequence[tuple[str, Problem]], machine: Machine) -> Iterator[list[Timing]]:
        """Yield the timings of each problem, the fastest first. The time to verify the answers is not part of the budget."""
        for name, problem in problems:
            machine.bound(problem)
            trials = self._trials(problem)
            self._race(trials, self.budget / len(problems), name)
            machine.again()
            timings = [trial.record(name, times(name), machine.bound(problem)) for trial in trials]
            yield sorted(timings, key=lambda t: t.seconds or float("inf"))

    def _trials(self, problem: Problem) -> list[Trial]:
        judged = Judged(problem)
        variables = dict.fromkeys(VARIABLES, str(self.threads)) | (SPIN if self.threads > 1 else {})
        return [Trial(method, judged, self.runner, self.threads, variables) for method in self.methods]

    def _race(self, trials: list[Trial], seconds: float, name: str) -> None:
        for trial in trials:
            self.notify(f"{name}: {trial.method.name}")
            trial.prove()
        alive = [trial for trial in trials if trial.alive]
        share = max(LEAST, seconds / max(1, len(alive)))
        for _ in range(ROUNDS):
            for trial in alive:
                if trial.alive and trial.spent < share:
                    self.notify(f"{name}: {trial.method.name}")
                    trial.time(share / ROUNDS)
