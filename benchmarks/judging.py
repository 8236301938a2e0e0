"""The speed of the harness itself: seconds for a thousand judged answers, sandbox on.

A judged answer is one method's answer to one problem, drawn, computed by the oracle,
run in the child, and held to its interval. Run as a script it prints the rate on one core:

    taskset -c 0 python benchmarks/judging.py
"""

from __future__ import annotations

import time

EIGHT = ("im2col", "unfold", "windows", "scatter", "sparse-csr", "fft", "torch-onednn", "torch-native")
EXAMPLES = 250


def judged_answers(examples: int, seed: int, runner) -> tuple[int, float]:
    """Return (answers judged, seconds) of a search over eight cheap methods: float32, fprop, at most 1e5 multiply-adds."""
    from convlaws.known import ledger_of
    from convlaws.laws.registry import find as laws
    from convlaws.problem.scope import Scope
    from convlaws.sandbox.settings import Setting
    from convlaws.search.plan import Plan
    from convlaws.search.search import Search
    from convlaws.targets.registry import find as methods

    # a scope that all eight accept, so that each is judged on every problem
    scope = Scope(
        ops=("fprop",), dtypes=("float32",), ndim=(1, 2), transposed=(False,), padding=("none", "even", "same", "valid"),
        padding_mode=("zeros",), fills=("integers", "onehot", "sparse", "normal"), macs=100_000,
    )  # fmt: skip
    plan = Plan(methods(EIGHT), laws(["equals-the-definition"]), scope, seed, None, examples)
    search = Search(plan, runner, ledger_of(Setting()))  # what is known to be wrong here is not made small
    started = time.perf_counter()
    search.run()
    return search.judged, time.perf_counter() - started


class Judging:
    """Seconds for a thousand judged answers (lower is better)."""

    unit = "s / 1000 answers"
    timeout = 180

    def setup(self):
        from convlaws.sandbox.sandbox import Sandbox

        self.runner = Sandbox()
        judged_answers(4, 1, self.runner)  # loads the child and its libraries

    def track_seconds_a_thousand_answers(self):
        judged, seconds = judged_answers(EXAMPLES, 2, self.runner)
        return 1000 * seconds / judged

    def teardown(self):
        self.runner.close()


if __name__ == "__main__":
    benchmark = Judging()
    benchmark.setup()
    rates = [1000 / benchmark.track_seconds_a_thousand_answers() for _ in range(5)]
    benchmark.teardown()
    print("judged answers a second:", " ".join(f"{r:,.0f}" for r in rates))
