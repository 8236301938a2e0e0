"""The zoo: every wrong convolution is found, for the right reason, and shrunk; the right ones raise no alarm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import Phase
from laws_wrong_methods import MUTANTS as WRONG_METHODS
from mutants_ground import FIELDS, narrowed, shows

from convlaws.drawing import draw, quiet
from convlaws.examine import Oracle, examine
from convlaws.laws import registry as laws
from convlaws.methods.registry import get, rows
from convlaws.mutants import TRIGGERS, mistakes
from convlaws.plan import Plan
from convlaws.problem import Problem
from convlaws.results import Finding
from convlaws.sandbox.client import Sandbox
from convlaws.scope import Scope
from convlaws.search import Search

DEFINITION = "equals-the-definition"
EXAMPLES = 30
MANY = 200  # where a Scope cannot say what the sizes must be, and chance decides
EXACT = 3  # the weight of a trigger for exact or large sizes
# a hang costs its time limit at each try; of the others, each needs several sizes at once
COUNTS = {"hangs-on-many-groups": 12, "flat-half-volumes": 800, "dgrad-row-tail": 500}
# mutants that give the right answer to a single question: the law that asks twice, or looks elsewhere
OTHERS = {
    "writes-into-the-input": "operands-are-left-alone",
    "returns-its-buffer": "an-output-outlives-the-next-call",
    "random-last-bit": "the-same-bits-twice",
    "reads-before-the-input": "nothing-outside-is-read",
    "same-pads-low": "padding-words-are-numbers",
    "stale-cache": "additive-in-w",
}
# where the triggers do not say what numbers or sizes show the mistake, and it is rare
NARROW = {
    "absolute-epsilon": Scope(fills=("tiny", "normal")),
    "flush-to-zero": Scope(fills=("tiny",)),
    "saturates": Scope(fills=("huge", "special")),
    "nan-swallowed": Scope(fills=("special",)),
}
# the verdict and signature of the ones that do not just give a wrong number
SIGNATURES = {
    "broadcastable-shape": ("broken", "shape"),
    "channels-rounded-up": ("broken", "shape"),
    "circular-is-no-padding": ("broken", "shape"),
    "depthwise-size-without-dilation": ("broken", "shape"),
    "dgrad-ends-with-the-last-window": ("broken", "shape"),
    "dgrad-is-short-of-two": ("broken", "shape"),
    "input-where-there-is-no-result": ("broken", "shape"),
    "one-result-at-least": ("broken", "shape"),
    "output-padding-ignored": ("broken", "shape"),
    "reach-by-a-wrong-formula": ("broken", "shape"),
    "results-rounded-up": ("broken", "shape"),
    "width-from-the-height-of-the-kernel": ("broken", "shape"),
    "wrong-dtype": ("broken", "dtype"),
    "unwritten-edge": ("broken", "nan"),
    "nan-swallowed": ("broken", "nan"),
    "reads-before-the-input": ("broken", "nan"),
    "dgrad-tail-unwritten": ("broken", "nan"),
    "garbage-past-512": ("broken", "nan"),
    "wgrad-of-no-image-unwritten": ("broken", "nan"),
    "width-tail-unwritten": ("broken", "nan"),
    "no-kernel-for-sixteen-taps": ("crashed", "RuntimeError"),
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
# the multiply-adds of what the others shrink to, where the least that shows them is more than 16
LARGE = {
    "dgrad-of-1023-results": 2048,
    "dgrad-row-tail": 160,
    "element-on-the-seam": 80,
    "half-of-the-split-products": 128,
    "last-of-1024-results": 2048,
    "tiles-of-two": 40,
    "width-tail-repeats": 160,
}
KNOWN = {mistake.name: mistake for mistake in mistakes()}
ZOO = [name for name in KNOWN if name != "chatters"]
# what is exact or large is drawn too seldom for a short test: the drawing is done without the sandbox
DRAWN_FIRST = [
    n for n in ZOO if n not in OTHERS and n not in LARGE and any(TRIGGERS[word].weight >= EXACT for word in KNOWN[n].needs)
]
HEALTHY = [row.name for row in rows("healthy")]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(time_limit=0.5) as sandbox:
        yield sandbox


def search(box: Sandbox, method: str, law: str = "*", examples: int = EXAMPLES, scope: Scope | None = None) -> list[Finding]:
    return Search(Plan([get(method)], laws.find([law]), scope or Scope(), examples=examples), box).run()


def ground(name: str) -> Scope:
    """Where a mutant is looked for."""
    return narrowed(KNOWN[name], *filter(None, [NARROW.get(name)]))


def examples(name: str) -> int:
    """How many examples a mutant needs at most, on its ground."""
    chance = any(word not in FIELDS and (TRIGGERS[word].weight > 1 or "tail" in word) for word in KNOWN[name].needs)
    return COUNTS.get(name, MANY if chance else EXAMPLES)


def expected(name: str) -> tuple[str, str]:
    """The verdict and the signature of a mutant's failures."""
    return SIGNATURES.get(name, ("broken", "value"))


# --- the sick --------------------------------------------------------------------------
@pytest.mark.parametrize("name", [name for name in ZOO if name not in DRAWN_FIRST])
def test_a_mutant_is_found_for_the_right_reason_and_made_small(box, name):
    scope, law = ground(name), OTHERS.get(name, DEFINITION)
    if law == DEFINITION:
        scope = replace(scope, ops=scope.ops[:1])
    found = search(box, f"mutant-{name}", law, examples(name), scope)

    failures = [f for f in found if f.verdict.bad]
    fitting = [f for f in failures if (str(f.verdict), f.signature) == expected(name)]
    assert fitting, f"found {[(str(f.verdict), f.signature) for f in failures]}, not {expected(name)}"
    if name in LINES:
        assert LINES[name] in [f.problem for f in fitting]
    small = min(Problem.parse(f.problem).spec.macs for f in fitting)
    assert small <= LARGE.get(name, 16), f"{small} multiply-adds in {fitting[0].problem}"


@pytest.mark.parametrize("name", DRAWN_FIRST)
def test_a_mutant_of_large_sizes_is_found_once_they_are_drawn(box, name):
    method, law = get(f"mutant-{name}"), laws.find([DEFINITION])[0]
    scope = narrowed(KNOWN[name], method.scope, law.scope)
    line = draw(scope, lambda problem: shows(KNOWN[name], problem), 1, quiet(6000, Phase.generate))

    outcome = examine(method, law, line, box, Oracle())

    assert (str(outcome.verdict), outcome.signature) == expected(name), f"{line}: {outcome.message}"


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
    found = search(box, f"mutant-{name}", law, examples(name), ground(name))

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
