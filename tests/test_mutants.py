"""The zoo: every wrong convolution is found, for the right reason, and shrunk; the right ones raise no alarm."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from laws_wrong_methods import MUTANTS as WRONG_METHODS

from convlaws.laws import registry as laws
from convlaws.methods.registry import get, rows
from convlaws.plan import Plan
from convlaws.problem import Problem
from convlaws.results import Finding
from convlaws.sandbox.client import Sandbox
from convlaws.scope import Scope
from convlaws.search import Search

DEFINITION = "equals-the-definition"
EXAMPLES = 60
RARE = {"lost-channel-tail": 300}  # five channels, or nine
# mutants that give the right answer to a single question: the law that asks twice, or looks elsewhere
OTHERS = {
    "writes-into-the-input": "operands-are-left-alone",
    "returns-its-buffer": "an-output-outlives-the-next-call",
    "random-last-bit": "the-same-bits-twice",
    "reads-before-the-input": "nothing-outside-is-read",
    "same-pads-low": "padding-words-are-numbers",
    "stale-cache": "additive-in-w",
}
# where the failure is rare, what is drawn is narrowed to where it can be
NARROW = {
    "pointwise-ignores-stride": Scope(kernel=(1,), strided=(True,), padding=("none", "valid"), transposed=(False,)),
    "absolute-epsilon": Scope(fills=("tiny", "normal")),
    "flush-to-zero": Scope(fills=("tiny",)),
    "saturates": Scope(fills=("huge", "special")),
    "nan-swallowed": Scope(fills=("special",)),
    "bgrad-is-the-mean": Scope(ops=("bgrad",)),
    "crops-the-other-end": Scope(padding=("negative",)),
    "input-dilation-repeats": Scope(input_dilated=(True,)),
    "same-forgets-the-stride": Scope(padding=("sameupper", "samelower")),
    "one-result-at-least": Scope(empty=(True,)),
}
# the verdict and signature of the ones that do not just give a wrong number
SIGNATURES = {
    "broadcastable-shape": ("broken", "shape"),
    "one-result-at-least": ("broken", "shape"),
    "wrong-dtype": ("broken", "dtype"),
    "unwritten-edge": ("broken", "nan"),
    "nan-swallowed": ("broken", "nan"),
    "reads-before-the-input": ("broken", "nan"),
    "raises-on-a-large-stride": ("crashed", "ValueError"),
    "refuses-depthwise": ("crashed", "SystemExit"),
    "crashes-on-dilation": ("crashed", "SIGSEGV"),
    "aborts-on-empty-batch": ("crashed", "SIGABRT"),
    "hangs-on-many-groups": ("hung", "time"),
}
# what some shrink to, exactly; the failure named in SIGNATURES
LINES = {
    "forgotten-dilation": "n1c1k1_x3_r2_s1_p0_d2_g1 fprop float32 contiguous integers seed=0",
    "flipped-kernel": "n1c1k1_x2_r2_s1_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "first-group-twice": "n1c2k2_x1_r1_s1_p0_d1_g2 fprop float32 contiguous integers seed=0",
    "lost-channel-tail": "n1c5k1_x1_r1_s1_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "lost-width-tail": "n1c1k1_x1_r1_s2_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "second-image-is-the-first": "n2c1k1_x1_r1_s1_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "same-pads-low": "n1c1k1_x1_r2_s1_psame_d1_g1 fprop float32 contiguous integers seed=0",
    "pointwise-ignores-stride": "n1c1k1_x3_r1_s2_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "wgrad-of-the-first-image": "n2c1k1_x1_r1_s1_p0_d1_g1 wgrad float32 contiguous integers seed=0",
    "broadcastable-shape": "n1c1k1_x1_r1_s1_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "raises-on-a-large-stride": "n1c1k1_x1_r1_s2_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "refuses-depthwise": "n1c2k2_x1_r1_s1_p0_d1_g2 fprop float32 contiguous integers seed=0",
    "crashes-on-dilation": "n1c1k1_x1_r1_s1_p0_d2_g1 fprop float32 contiguous integers seed=0",
    "aborts-on-empty-batch": "n0c1k1_x1_r1_s1_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "input-dilation-repeats": "n1c1k1_x2_r1_s1_p0_d1_i2_g1 fprop float32 contiguous integers seed=0",
    "one-result-at-least": "n1c1k1_x0_r1_s1_p0_d1_g1 fprop float32 contiguous integers seed=0",
    "hangs-on-many-groups": "n1c3k3_x1_r1_s1_p0_d1_g3 fprop float32 contiguous integers seed=0",
}
ZOO = [row.name.removeprefix("mutant-") for row in rows("mutant") if row.name != "mutant-chatters"]
HEALTHY = [row.name for row in rows("healthy")]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(time_limit=0.5) as sandbox:
        yield sandbox


def search(box: Sandbox, method: str, law: str = "*", examples: int = EXAMPLES, scope: Scope | None = None) -> list[Finding]:
    return Search(Plan([get(method)], laws.find([law]), scope or Scope(), examples=examples), box).run()


def failures(box: Sandbox, name: str) -> list[Finding]:
    # a hang costs its time limit at each try
    examples = {"hangs-on-many-groups": 20, **RARE}.get(name, EXAMPLES)
    found = search(box, f"mutant-{name}", OTHERS.get(name, DEFINITION), examples, NARROW.get(name))
    return [f for f in found if f.verdict.bad]


# --- the sick --------------------------------------------------------------------------
@pytest.mark.parametrize("name", ZOO)
def test_a_mutant_is_found_for_the_right_reason_and_made_small(box, name):
    found = failures(box, name)

    expected = SIGNATURES.get(name, ("broken", "value"))
    fitting = [f for f in found if (str(f.verdict), f.signature) == expected]
    assert fitting, f"found {[(str(f.verdict), f.signature) for f in found]}, not {expected}"
    if name in LINES:
        assert LINES[name] in [f.problem for f in fitting]
    small = min(Problem.parse(f.problem).spec.macs for f in fitting)
    assert small <= 16, f"{small} multiply-adds in {fitting[0].problem}"


def test_a_method_that_only_prints_is_innocent(box):
    found = search(box, "mutant-chatters", DEFINITION)

    assert {str(f.verdict) for f in found} == {"kept"}


# --- every law has its mutant ------------------------------------------------------------
# those of structure, duality, composition and repetition: laws_wrong_methods; the others: here
KILLS = {
    "equals-the-definition": "flipped-kernel",
    "equals-the-other-methods": "flipped-everywhere",
    "additive-in-x": "clips-at-a-thousand",
    "additive-in-w": "stale-cache",
    "additive-in-gy": "bf16-operands",
    "homogeneous": "clips-at-a-thousand",
    "bias-is-added-once": "bias-in-half",
    "zero-input-gives-the-bias": "bias-in-half",
    "negation-bit-for-bit": "stale-cache",
    "powers-of-two-bit-for-bit": "stale-cache",
    "powers-of-two-cancel-in-a-channel": "layout-misread",
    "result-channels-scale-on-their-own": "half-accumulation",
    "zeros-before-an-image-shift-the-result": "lost-width-tail",
    "flipping-everything-flips-the-result": "swapped-padding",
    "axes-in-another-order": "square-stride",
    "images-in-another-order": "second-image-is-the-first",
    "output-channels-in-another-order": "first-group-twice",
    "input-channels-in-another-order": "lost-channel-tail",
    "groups-in-another-order": "first-group-twice",
    "special-values-stay-within-their-receptive-field": "nan-swallowed",
    "nan-weights-spread-to-their-channel-only": "random-last-bit",
    "signed-zero-is-a-zero": "random-last-bit",
    "rolling-a-circular-image-rolls-the-result": "layout-misread",
    "subnormals-are-kept": "flush-to-zero",
    "overflow-gives-infinity-of-the-right-sign": "saturates",
}


def test_every_law_has_a_mutant_that_breaks_it():
    named = KILLS.keys() | WRONG_METHODS.keys()

    assert {law.name for law in laws.laws()} == named


@pytest.mark.parametrize(("law", "name"), KILLS.items())
def test_a_law_is_broken_by_its_mutant(box, law, name):
    found = search(box, f"mutant-{name}", law, RARE.get(name, 40), NARROW.get(name))

    assert [f for f in found if f.verdict.bad and f.law == law]


# --- the healthy --------------------------------------------------------------------------
@pytest.mark.parametrize("name", HEALTHY)
def test_a_right_method_in_another_order_raises_no_alarm(box, name):
    found = search(box, name, examples=1)

    assert [f"{f.law}: {f.message}\n{f.problem}" for f in found if f.verdict.bad] == []
    assert sum(f.examples for f in found) >= 120


@pytest.mark.nightly
@pytest.mark.skipif(not os.environ.get("CONVLAWS_NIGHTLY"), reason="10,000 examples: set CONVLAWS_NIGHTLY=1")
def test_right_methods_raise_no_alarm_in_ten_thousand_examples(box):
    found = Search(Plan(rows("healthy"), laws.laws(), examples=15, seed=1), box).run()

    assert [f"{f.method} {f.law}: {f.message}\n{f.problem}" for f in found if f.verdict.bad] == []
    assert sum(f.examples for f in found) >= 10_000
