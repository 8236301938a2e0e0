"""Findings of every kind and in any number, for tests of the page: the laws, lines and evidence are real, methods invented."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from convlaws.laws.registry import Law, laws
from convlaws.oracle.claim import Claim, evidence_of, judge
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.records.finding import Finding, Verdict

LINES = (
    "n2c4k6_x8x5_r3x3_s2x1_p1x0_d1x2_g2 fprop float32 contiguous normal seed=3",
    "n1c1k1_x9_r3_s1_p1_d2_g1 dgrad float16 contiguous integers seed=0",
    "n2c2k2_x4x4x4_r2x2x2 wgrad bfloat16 channels_last normal seed=5",
    "n1c2k3_x6x6_r3x3_s2x2_p1x1_d1x1_g1_b bgrad float64 contiguous ones seed=1",
    "n1c2k2_x5x4_r2x3_s2x2_p0x0_d1x1_g2_t0x0 fprop float32 contiguous integers seed=9",
)
_OTHERS = (Verdict.KEPT, Verdict.KEPT, Verdict.KEPT, Verdict.KEPT, Verdict.VACUOUS, Verdict.REFUSED)
_BAD = (Verdict.BROKEN, Verdict.BROKEN, Verdict.BROKEN, Verdict.CRASHED, Verdict.HUNG)


def evidence(line: str, seed: int = 0) -> dict:
    """Return the evidence that a run would record for a result with some wrong elements."""
    problem, rng = Problem.parse(line), np.random.default_rng(seed)
    right = rng.normal(size=shape_of(problem.spec, RESULT[problem.op]))
    mismatch = judge(Claim(np.where(rng.random(right.shape) < 0.2, right + 1, right + 2e-3), right - 1e-3, right + 1e-3))
    assert mismatch is not None
    return evidence_of(mismatch)


def finding(verdict: Verdict = Verdict.BROKEN, **changed) -> Finding:
    """Return one finding, as a run would write it."""
    line = changed.pop("problem", LINES[0])
    given = {"method": "im2col", "law": "equals-the-definition", "op": "fprop", "says": "Each result is what defines it."}
    if verdict.bad:
        given |= {"message": "got is 3 at (0, 0, 1, 2), the definition 4", "contract": "plain", "dtype": "float32"}
    return Finding(**{**given, "verdict": verdict, "problem": line, "examples": 20, "drawn": 24, **changed})


def many(methods: int, laws_asked: int, failures: int, seed: int = 0) -> list[Finding]:
    """Return findings of `methods` methods under `laws_asked` laws, all ops, with `failures` failures on distinct lines."""
    rng = random.Random(seed)
    cells = [(f"engine-number-{m}", law, op) for m in range(methods) for law in laws()[:laws_asked] for op in law.scope.ops]
    bad = set(rng.sample(range(len(cells)), failures))
    return [_one(rng, i, *cell, bad=i in bad) for i, cell in enumerate(cells)]


def _one(rng: random.Random, i: int, method: str, law: Law, op: str, *, bad: bool) -> Finding:
    given = {"method": method, "law": law.name, "op": op, "says": law.says, "specific": law.specific}
    if not bad:
        verdict = rng.choice(_OTHERS)
        refused = {"the layout is expanded, only contiguous is done": 3} if verdict is Verdict.REFUSED else {}
        errors = [900, *(rng.randrange(50) for _ in range(20)), 0, 0, 0]
        return finding(
            verdict,
            **given,
            problem=_line(rng, i),
            worst_ratio=0.5,
            refused=refused,
            error_histogram=errors,
            terms_histogram=errors,
        )
    line = _line(rng, i)
    verdict = rng.choice(_BAD)
    shown = evidence(line, i) if verdict is Verdict.BROKEN else {}
    return finding(verdict, **given, problem=line, evidence=shown, signature="value")


def _line(rng: random.Random, i: int) -> str:
    return rng.choice(LINES).rpartition("=")[0] + f"={i}"


def of_each_state() -> Iterator[Finding]:
    """Yield one finding of each state, on one law."""
    for verdict in Verdict:
        yield finding(verdict, method=f"method-{verdict}", evidence=evidence(LINES[0]) if verdict is Verdict.BROKEN else {})
    yield finding(method="method-known", known="a-known-one")
