"""Verified timing of a method on a problem: its answers are judged on the timed arrays, before and after.

A method that is wrong, or does not return, has no time.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from statistics import quantiles
from typing import Any

import numpy as np

from convlaws.errors import SpecError
from convlaws.judge.case import ENDED, Oracle
from convlaws.oracle.claim import Claim, judge, ratios, shape_error
from convlaws.problem.cost import flops, traffic
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.problem.request import Ending, Reply, Request
from convlaws.problem.subproblem import Subproblem, subproblem
from convlaws.records.finding import Verdict
from convlaws.records.timing_file import Timing
from convlaws.sandbox.runner import Runner
from convlaws.targets.registry import Method, target_of

SLACK = 3  # factor on the time limit of a call, for a request that makes many calls


class Judged:
    """A problem, and the check of answers to it against the oracle, on all of the result or a part."""

    def __init__(self, problem: Problem):
        self.problem, self._oracle = problem, Oracle()

    @cached_property
    def part(self) -> Subproblem:
        """The part of the problem that the oracle computes."""
        return subproblem(self.problem)

    def of(self, method: Method, output: np.ndarray) -> tuple[str, float]:
        """(the error as text, '' if there is none; the worst error over the slack)."""
        spec, op, dtype = self.problem.spec, self.problem.op, self.problem.dtype
        if wrong := shape_error(output, shape_of(spec, RESULT[op]), dtype):
            return wrong[1], 0.0
        answer, allowed = self._oracle(self.part.spec, op, self.part.operands, method.contract(spec, op, dtype))
        claim = Claim.of_answer(output[self.part.index], answer, allowed)
        mismatch = judge(claim)
        return str(mismatch or ""), float(ratios(claim).max(initial=0.0))


class Trial:
    """One method on one problem: call `prove` first, then time it in rounds; `spent` is the seconds of the rounds.

    `variables` are set in the method's process: thread counts of libraries that read them at import.
    """

    def __init__(self, method: Method, judged: Judged, runner: Runner, threads: int = 1, variables: dict[str, str] | None = None):
        self.method, self.judged, self.runner, self.threads = method, judged, runner, threads
        self.variables = variables or {}
        self.verdict, self.message = Verdict.KEPT, ""
        self.ratio, self.spent, self.call = 0.0, 0.0, 0.0
        self.grown: int | None = None
        self.blocks: list[float] = []
        self.calls = 0
        self._right: np.ndarray | None = None

    @property
    def alive(self) -> bool:
        """True if no failure has been found so far."""
        return self.verdict is Verdict.KEPT

    def prove(self) -> None:
        """Judge the answer of a fresh process, and measure by how much its memory grows."""
        problem = self.judged.problem
        if reason := self.method.absent or self.method.scope.refuses(problem):
            self.verdict, self.message = Verdict.REFUSED, reason
            return
        self.runner.refresh()
        if tiny := _smaller(problem, self.method):
            self.runner.call(self._target, self._request(tiny))  # loads the library's code; the next call will show a failure
        reply = self._asked({"memory": True})
        if self.alive:
            self.grown, self.call = reply.measured["grown"], reply.seconds

    def time(self, seconds: float) -> None:
        """One round: time calls for about `seconds`, and judge the answer of the last one."""
        usual, self.runner.time_limit = self.runner.time_limit, SLACK * self.runner.time_limit + seconds
        try:
            reply = self._asked({"seconds": seconds, "warm": not self.blocks or SLACK * self.call < seconds})
        finally:
            self.runner.time_limit = usual
        self.spent += reply.seconds
        if self.alive:
            self.blocks += reply.measured["blocks"]
            self.calls += reply.measured["calls"] * len(reply.measured["blocks"])
            self.call = min(self.blocks)

    @cached_property
    def _target(self) -> dict[str, Any]:
        target = target_of(self.method)
        home = target.get("home", {})
        return {**target, "home": {**home, "variables": {**home.get("variables", {}), **self.variables}}}

    def _request(self, problem: Problem, measure: dict[str, Any] | None = None) -> Request:
        return Request(
            spec=problem.spec,
            op=problem.op,
            dtype=problem.dtype,
            operands=problem.operands,
            layout=problem.layout,
            threads=self.threads,
            measure=measure,
        )

    def _asked(self, measure: dict[str, Any]) -> Reply:
        reply = self.runner.call(self._target, self._request(self.judged.problem, measure))
        if reply.ending is not Ending.ANSWERED:
            self._end(ENDED.get(reply.ending, Verdict.CRASHED), reply.message)
        elif self._right is None or not np.array_equal(reply.output, self._right):
            wrong, ratio = self.judged.of(self.method, reply.output)
            self.ratio = max(self.ratio, ratio)
            self._right = reply.output
            if wrong:
                self._end(Verdict.BROKEN, wrong)
        return reply

    def _end(self, verdict: Verdict, message: str) -> None:
        self.verdict, self.message = verdict, message
        self.blocks, self.calls, self.grown = [], 0, None

    def record(self, name: str = "", times: int = 1, bound: float = 0.0) -> Timing:
        """The Timing; a method that is wrong has no time in it."""
        problem = self.judged.problem
        return Timing(
            name=name or str(problem),
            times=times,
            problem=str(problem),
            method=self.method.name,
            verdict=self.verdict,
            message=self.message,
            contract=self.method.contract(problem.spec, problem.op, problem.dtype),
            **_quartiles(self.blocks),
            blocks=len(self.blocks),
            calls=self.calls,
            threads=self.threads,
            flops=flops(problem),
            traffic=traffic(problem),
            bound=bound,
            memory=self.grown,
            ratio=self.ratio if self.blocks else None,
            judged=self.judged.part.share,
        )


def _quartiles(blocks: list[float]) -> dict[str, float]:
    """The median and the quartiles, as the fields of a Timing; empty if there are no blocks."""
    if not blocks:
        return {}
    quartiles = quantiles(blocks, n=4, method="inclusive") if len(blocks) > 1 else blocks * 3
    return dict(zip(("low", "seconds", "high"), quartiles, strict=True))


def _smaller(problem: Problem, method: Method) -> Problem | None:
    """The same problem with the smallest possible extent and batch; None if the method does not take it."""
    spec = problem.spec
    sides = spec.sides if not isinstance(spec.padding, str) else ((0, 0),) * spec.ndim
    extent = tuple(max(r - low - high, low + 1, high + 1, 1) for r, (low, high) in zip(spec.reach, sides, strict=True))
    try:
        small = replace(problem, spec=replace(spec, extent=tuple(map(min, extent, spec.extent)), batch=spec.batch and 1))
    except SpecError:
        return None
    return None if method.scope.refuses(small) else small
