"""Question: one call that a baseline makes, and the check of its answer; it runs in the same sandbox as the calls of the laws."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from convlaws.engines.tensors import to_tensor
from convlaws.mutation.torch_reference import reference
from convlaws.problem.problem import Problem
from convlaws.problem.request import Ending, Reply, Request
from convlaws.problem.spec import ConvSpec
from convlaws.sandbox.runner import Runner
from convlaws.targets.registry import Method, target_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """A convolution with its operands; `tolerance` holds rtol and atol, and is empty for the defaults of assert_close."""

    spec: ConvSpec
    op: str
    operands: Mapping[str, np.ndarray]
    layout: str = "contiguous"
    tolerance: Mapping[str, float] = field(default_factory=dict)
    says: str = ""

    @staticmethod
    def of(problem: Problem) -> Question:
        """The question for a problem."""
        return Question(spec=problem.spec, op=problem.op, operands=problem.operands, layout=problem.layout, says=str(problem))

    def request(self) -> Request:
        """The request for the sandbox."""
        dtype = next(iter(self.operands.values())).dtype.name
        return Request(spec=self.spec, op=self.op, dtype=dtype, operands=self.operands, layout=self.layout)

    def wrong(self, reply: Reply) -> str:
        """The kind of failure of the reply, in a word; '' if it is close enough. An exception or a dead process is a failure."""
        import torch

        if reply.ending is not Ending.ANSWERED:
            return "" if reply.ending is Ending.REFUSED else reply.signature or str(reply.ending)
        expected = reference(self.spec, self.op, self.operands)
        try:
            torch.testing.assert_close(to_tensor(np.ascontiguousarray(reply.output)), expected, **self.tolerance)
        except AssertionError:
            return "shape" if reply.output.shape != tuple(expected.shape) else "value"
        return ""


@dataclass
class Asked:
    """Result of a baseline: if and how it found the mistake, after how many questions and seconds; `alarms` counts false ones."""

    found: bool
    examples: int
    seconds: float
    how: str = ""
    at: str = ""
    alarms: int = 0


def ask(method: Method, questions: Iterable[Question], runner: Runner, seconds: float, *, right: Method | None = None) -> Asked:
    """Ask questions until one is answered wrongly, or the time is over.

    With `right`, an alarm that this method raises on the same question too is false: it is counted, and
    the questions go on. Without it, the method asked is expected to be right, and every alarm is false.
    """
    runner.refresh()
    asked, started = Asked(False, 0, 0.0), time.monotonic()
    for question in questions:
        if time.monotonic() - started > seconds:
            break
        asked.examples += 1
        how = _alarm(method, question, runner)
        if how and right and not _alarm(right, question, runner):
            asked.found, asked.how, asked.at = True, how, question.says
            break
        asked.alarms += bool(how)
    asked.seconds = round(min(time.monotonic() - started, seconds), 4)
    return asked


def _alarm(method: Method, question: Question, runner: Runner) -> str:
    return question.wrong(runner.call(target_of(method), question.request()))
