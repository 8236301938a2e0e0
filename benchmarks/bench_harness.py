"""asv benchmarks of the harness itself: drawing, the oracle, judging, a round trip of the sandbox.

The time of whole judged answers is in `judging.py`.
"""

from __future__ import annotations

import atexit

from .once import calls_a_sample, once

SMALL = "n2c4k6_x7x5_r3x3_s2x1_p1x0_g2"  # about the size that the strategies draw
LAYER = "n1c64k64_x28x28_r3x3_p1x1"  # 29 million multiply-adds


HELP = """
from contextlib import redirect_stdout, suppress
from io import StringIO
from convlaws.cli.app import cli
with suppress(SystemExit), redirect_stdout(StringIO()):  # asv reads the time from what is printed
    cli(['--help'])
"""


class Beginning:
    """Start-up time that a user waits for; each sample is a process of its own."""

    version = "1"
    timeout = 60

    def timeraw_help(self):
        return HELP

    def timeraw_import(self):
        return "import convlaws.api"


class Drawing:
    """Seconds to draw a hundred problems and their operands."""

    version = "2"

    @once
    def setup(self):
        from convlaws.problem.scope import Scope
        from convlaws.strategies.blocks import block

        self.drawn = lambda: [drawn.problem.operands for drawn in block(Scope(), 1, 100)]
        self.number = calls_a_sample(self.drawn)

    def time_a_hundred_problems(self):
        self.drawn()


class Definition:
    """Seconds that the oracle takes for R, S and n by the definition."""

    version = "1"
    param_names = ("spec", "op", "dtype")
    params = ((SMALL, LAYER), ("fprop", "dgrad", "wgrad"), ("float32", "float64", "bfloat16"))

    @once
    def setup(self, spec, op, dtype):
        from convlaws.oracle.oracle import answer
        from convlaws.problem.problem import Problem

        if spec == LAYER and dtype == "float64":
            raise NotImplementedError("the oracle of float64 sums in 80 bits: only the small one")
        p = Problem.parse(f"{spec} {op} {dtype} normal")
        operands = p.operands
        self.ask = lambda: answer(p.spec, p.op, operands)
        self.number = calls_a_sample(self.ask)

    def time_answer(self, spec, op, dtype):
        self.ask()


class Allowed:
    """Seconds to compute the interval of an answer, and to judge a result by it."""

    version = "1"
    param_names = ("spec", "contract")
    params = ((SMALL, LAYER), ("plain", "winograd2", "fft", "tensor-core"))

    @once
    def setup(self, spec, contract):
        from convlaws.oracle.claim import Claim, judge
        from convlaws.oracle.contracts import CONTRACTS, interval
        from convlaws.oracle.oracle import answer
        from convlaws.problem.problem import Problem

        p = Problem.parse(f"{spec} normal")
        found = answer(p.spec, p.op, p.operands)
        allowed = interval(found, CONTRACTS[contract], p.format)
        got = found.R.astype(p.format.dtype)
        self.make = lambda: interval(found, CONTRACTS[contract], p.format)
        self.judged = lambda: judge(Claim.of_answer(got, found, allowed))
        self.number = calls_a_sample(self.judged)

    def time_interval(self, spec, contract):
        self.make()

    def time_judge(self, spec, contract):
        if self.judged() is not None:
            raise AssertionError("the oracle's own answer was not allowed")


class RoundTrip:
    """Seconds to send a problem to a method in the child process and to get its answer."""

    version = "1"
    param_names = ("spec",)
    params = ((SMALL, "n1c1k1_x1_r1", LAYER),)

    @once
    def setup(self, spec):
        from convlaws.problem.problem import Problem
        from convlaws.problem.request import Ending, Request
        from convlaws.sandbox.sandbox import Sandbox
        from convlaws.targets.registry import get, target_of

        p, target, runner = Problem.parse(f"{spec} normal"), target_of(get("im2col")), Sandbox()
        atexit.register(runner.close)
        request = Request(spec=p.spec, op=p.op, dtype=p.dtype, operands=p.operands)

        def asked():
            reply = runner.call(target, request)
            if reply.ending is not Ending.ANSWERED:
                raise AssertionError(reply.message)

        self.runner, self.asked = runner, asked
        asked()
        self.number = calls_a_sample(asked)

    def time_call(self, spec):
        self.asked()


class Rebirth(RoundTrip):
    """Seconds until a call is answered after the child was killed, which is the cost of each crash of an engine."""

    params = ((SMALL,),)

    @once
    def setup(self, spec):
        RoundTrip.setup(self, spec)
        self.number = 1

    def time_call(self, spec):
        self.runner.refresh()
        self.asked()
