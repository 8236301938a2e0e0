"""The zoo: every wrong convolution is found, for the right reason, and shrunk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from long_tables import sliced
from mutants_expected import COUNTS, EXACT, EXAMPLES, LARGE, LINES, MANY, NARROW, OTHERS, SIGNATURES, UNLIKELY
from mutants_ground import FIELDS, narrowed, shows

from convlaws.campaign.run_shard import TRIES, TRIES_OF_A_HANG
from convlaws.judge.case import Oracle, examine
from convlaws.laws import registry as laws
from convlaws.mutants import TRIGGERS, all_mutants
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.records.finding import Finding
from convlaws.sandbox.sandbox import Sandbox
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.search.shrink import Shrinker
from convlaws.strategies.blocks import chance
from convlaws.targets.registry import get

DEFINITION = "equals-the-definition"
HASTY, PATIENT = 0.5, 20.0  # seconds for a call of what hangs, and of all others
KNOWN = {mistake.name: mistake for mistake in all_mutants()}
# those that nothing special is expected of are alike to the machinery that finds them: a third of them is enough for a short run,
# and `make mutants` hunts them all
ALIKE = [name for name in KNOWN if not any(name in table for table in (SIGNATURES, OTHERS, LINES, COUNTS, LARGE))]
ELSEWHERE = () if os.environ.get("CONVLAWS_NIGHTLY") else {*ALIKE} - {*ALIKE[::3]}
ZOO = [name for name in KNOWN if name != "chatters" and name not in UNLIKELY and name not in ELSEWHERE]
# what is exact or large is drawn too seldom for a short test: the drawing is done without the sandbox
DRAWN_FIRST = [
    n for n in ZOO if n not in OTHERS and n not in LARGE and any(TRIGGERS[word].weight >= EXACT for word in KNOWN[n].needs)
]
# the short run: of each kind of mistake, and of each way to fail
FEW = {
    *("forgotten-dilation", "first-group-twice", "dgrad-unflipped", "wgrad-of-the-first-image", "same-pads-low"),
    *("broadcastable-shape", "wrong-dtype", "unwritten-edge", "nan-swallowed", "saturates", "bias-in-half"),
    *("writes-into-the-input", "returns-its-buffer", "random-last-bit", "stale-cache", "reads-before-the-input"),
    *("crashes-on-dilation", "raises-on-a-large-stride", "refuses-depthwise", "hangs-on-many-groups"),
    *("lost-width-tail", "lost-channel-tail", "border-of-the-micro-kernel"),
}


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(time_limit=PATIENT) as sandbox:
        yield sandbox


def search(box: Sandbox, method: str, law: str = "*", examples: int = EXAMPLES, scope: Scope | None = None) -> list[Finding]:
    """What a search finds, whatever the load of the machine: only what hangs has little time, and tries are counted."""
    box.time_limit = HASTY if SIGNATURES.get(method.removeprefix("mutant-"), ("",))[0] == "hung" else PATIENT
    asked = Search(Plan([get(method)], laws.find([law]), scope or Scope(), examples=examples), box)
    asked.shrinker = Shrinker(asked, allowance=float("inf"), tries=TRIES, tries_of_a_hang=TRIES_OF_A_HANG)
    return asked.run()


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
@pytest.mark.parametrize("name", sliced([name for name in ZOO if name not in DRAWN_FIRST], FEW - {*DRAWN_FIRST}))
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


@pytest.mark.parametrize("name", sliced(DRAWN_FIRST, DRAWN_FIRST[:2]))
def test_a_mutant_of_large_sizes_is_found_once_they_are_drawn(box, name):
    method, law = get(f"mutant-{name}"), laws.find([DEFINITION])[0]
    scope = narrowed(KNOWN[name], method.scope, law.scope)
    line = next(drawn.problem for drawn in chance(scope, Random(1), 6000) if shows(KNOWN[name], drawn.problem))

    outcome = examine(method, law, line, box, Oracle())

    assert (str(outcome.verdict), outcome.signature) == expected(name), f"{line}: {outcome.message}"


def test_the_short_run_has_every_kind_of_mistake_and_every_verdict():
    short = FEW | {*DRAWN_FIRST[:2]}

    assert {KNOWN[name].defect for name in short} == {KNOWN[name].defect for name in ZOO}
    assert {expected(name)[0] for name in short} == {expected(name)[0] for name in ZOO}


def test_a_method_that_only_prints_is_innocent(box):
    found = search(box, "mutant-chatters", DEFINITION)

    assert {str(f.verdict) for f in found} == {"kept"}


# --- every law has its mutant ------------------------------------------------------------
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
    "signed-zero-is-a-zero": "minus-zero-is-nan",
    "rolling-a-circular-image-rolls-the-result": "layout-misread",
    "subnormals-are-kept": "flush-to-zero",
    "overflow-gives-infinity-of-the-right-sign": "saturates",
    "padding-is-put-there-first": "swapped-padding",
    "padding-crops-the-input-gradient": "swapped-padding",
    "padding-crops-the-transposed": "swapped-padding",
    "padding-words-are-numbers": "same-pads-low",
    "output-padding-only-appends": "output-padding-shifts",
    "stride-takes-every-sth-result": "unwritten-edge",
    "stride-puts-zeros-between-inputs": "unwritten-edge",
    "dilation-is-zeros-between-taps": "forgotten-dilation",
    "one-tap-ignores-dilation": "one-tap-off-by-the-dilation",
    "one-tap-is-a-matrix-product": "reads-past-the-kernel",
    "groups-are-a-block-diagonal-kernel": "first-group-twice",
    "each-group-is-on-its-own": "first-group-twice",
    "input-channels-add-up": "lost-channel-tail",
    "output-channels-are-side-by-side": "bias-lost-in-the-tail",
    "images-do-not-see-each-other": "second-image-is-the-first",
    "unbatched-is-a-batch-of-one": "first-channel-for-an-image",
    "an-axis-of-one-changes-nothing": "a-line-padded-as-a-plane",
    "input-dilation-is-zeros-between-inputs": "input-dilation-repeats",
    "negative-padding-crops-the-input": "crops-the-other-end",
    "input-gradient-is-the-adjoint": "dgrad-unflipped",
    "weight-gradient-is-the-adjoint": "wgrad-of-the-first-image",
    "bias-gradient-is-the-adjoint": "bgrad-is-the-mean",
    "transposed-is-the-mirrors-gradient": "dgrad-unflipped",
    "gradients-of-gradients-are-convolutions": "second-has-the-other-sign",
    "convolutions-in-a-row-are-one": "flipped-kernel",
    "the-input-gradient-composes-kernels": "dgrad-unflipped",
    "transposed-in-a-row-are-one": "forgotten-dilation",
    "waves-are-eigenvectors": "flipped-kernel",
    "the-same-bits-twice": "random-last-bit",
    "operands-are-left-alone": "writes-into-the-input",
    "the-output-has-memory-of-its-own": "gradient-is-a-view",
    "an-output-outlives-the-next-call": "returns-its-buffer",
    "what-ran-before-does-not-matter": "workspace-of-a-larger-call",
    "nothing-outside-is-read": "reads-before-the-input",
    "layout-does-not-matter": "layout-misread",
    "alignment-does-not-matter": "head-dropped-off-a-boundary",
    "threads-do-not-matter": "threads-share-a-workspace",
}


def test_every_law_is_broken_by_a_mutant_of_the_library():
    assert {law.name for law in laws.laws()} == set(KILLS)


@pytest.mark.parametrize(("law", "name"), sliced(KILLS.items(), [*KILLS.items()][::5]))
def test_a_law_is_broken_by_its_mutant(box, law, name):
    scope = ground(name)
    if laws.find([law])[0].scope.meet(scope) is None:
        scope = Scope()  # the law is about none of the problems that show the mutant soonest

    found = search(box, f"mutant-{name}", law, examples(name), scope)

    assert [f for f in found if f.verdict.bad and f.law == law]
