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
# --- numerics, memory, contract, process, double backward ------------------------------------------------
SECOND = "gradients-of-gradients-are-convolutions"
OTHERS |= {
    "flips-the-kernel-in-place": "operands-are-left-alone",
    "scales-the-gradient-in-place": "operands-are-left-alone",
    "works-in-place": "operands-are-left-alone",
    "gradient-is-a-view": "the-output-has-memory-of-its-own",
    "returns-its-gradient-buffer": "an-output-outlives-the-next-call",
    "cache-by-address": "additive-in-w",
    "plan-cached-without-the-geometry": "flipping-everything-flips-the-result",
    "adds-to-the-last-gradient": "the-same-bits-twice",
    "workspace-of-a-larger-call": "what-ran-before-does-not-matter",
    "atomic-additions": "the-same-bits-twice",
    "images-left-over-by-threads": "threads-do-not-matter",
    "threads-share-a-workspace": "threads-do-not-matter",
    "threads-race-for-the-gradient": "threads-do-not-matter",
    "leaves-rounding-upward": "negation-bit-for-bit",
    "leaves-subnormals-off": "subnormals-are-kept",
    "overflow-becomes-nan": "overflow-gives-infinity-of-the-right-sign",
    "saturates": "overflow-gives-infinity-of-the-right-sign",
    "second-forgets-the-kernel": SECOND,
    "second-has-the-other-sign": SECOND,
    "second-ends-at-the-gradient": SECOND,
    "second-forgets-the-dilation": SECOND,
    "second-raises-on-groups": SECOND,
    "second-misplaces-the-tail": SECOND,
}
NARROW |= {
    "tf32-for-many-channels": Scope(ndim=(2,), dtypes=("float32",), kernel=(1,), grouping=("one",)),
    "many-gradients-in-half": Scope(ops=("wgrad",), dtypes=("float16", "bfloat16"), kernel=(1,), batch=("many",)),
    "kernel-rounded-up": Scope(ndim=(1,), dtypes=("float16", "bfloat16"), kernel=(1,), grouping=("one",)),
    "half-where-images-repeat": Scope(dtypes=("float32",), layouts=("expanded",), batch=("many",)),
    "undeclared-winograd": Scope(ndim=(2,), kernel=(3,), stride=(1,), dilation=(1,)),
    "undeclared-fourier": Scope(kernel=(8, 9, 11)),
    "flush-to-zero": Scope(fills=("tiny",)),
    "gradients-flush-to-zero": Scope(ops=("dgrad", "wgrad"), dtypes=("float16", "bfloat16"), fills=("tiny",)),
    "operands-flush-to-zero": Scope(fills=("tiny",), dtypes=("float16", "bfloat16")),
    "leaves-subnormals-off": Scope(fills=("tiny",)),
    "overflow-becomes-nan": Scope(fills=("huge",)),
    "saturates": Scope(fills=("huge",)),
    "bounds-drop-nan": Scope(fills=("special",)),
    "inf-is-the-largest-number": Scope(fills=("special",)),
    "zero-taps-are-skipped": Scope(fills=("special",), ops=("fprop",)),
    "padding-masked-by-a-product": Scope(fills=("special",), padding=("even", "uneven"), transposed=(False,)),
    "nan-enters-the-next-image": Scope(fills=("special",), batch=("many",)),
    "nan-crosses-groups": Scope(fills=("special",), grouping=("some", "depthwise")),
    "tail-channels-masked-by-a-product": Scope(fills=("special",), batch=("many",), grouping=("one",), ops=("fprop",)),
    "minus-zero-is-nan": Scope(fills=("special",)),
    "plan-cached-without-the-geometry": Scope(padding=("uneven",), grouping=("some", "depthwise")),
    "gradient-is-a-view": Scope(ops=("bgrad",), batch=("unbatched", "one")),
    "unwritten-gradient-of-no-image": Scope(ops=("wgrad",), batch=("empty",)),
    "one-tap-off-by-the-dilation": Scope(kernel=(1,), dilated=(True,)),
    "reads-past-the-kernel": Scope(kernel=(1,), ops=("fprop", "dgrad")),
    "reads-past-the-gradient": Scope(ops=("dgrad", "wgrad")),
    "raises-on-unequal-strides": Scope(grouping=("depthwise",), strided=(True,), ndim=(2, 3)),
    "raises-on-padding-without-a-batch": Scope(batch=("unbatched",), padding=("even", "uneven", "same")),
    "nothing-for-no-image": Scope(batch=("empty",), transposed=(True,)),
    "crashes-on-padded-depthwise": Scope(ops=("wgrad",), grouping=("depthwise",), padding=("even", "uneven")),
    "exits-quietly": Scope(ops=("dgrad",), ndim=(3,), strided=(True,)),
    "calls-itself": Scope(ops=("fprop",), padding=("same",)),
    "asks-for-an-exbibyte": Scope(kernel=(8, 9, 11)),
    "hangs-on-pointwise-gradients": Scope(ops=("wgrad",), kernel=(1,), strided=(True,)),
    "second-forgets-the-dilation": Scope(dilated=(True,)),
}
SIGNATURES |= {
    "a-scalar-for-one-place": ("broken", "shape"),
    "bias-gradient-keeps-an-axis": ("broken", "shape"),
    "weight-gradient-in-groups": ("broken", "shape"),
    "weight-gradient-of-the-plain-one": ("broken", "shape"),
    "empty-batch-keeps-its-shape": ("broken", "shape"),
    "nothing-for-no-image": ("crashed", "AttributeError"),
    "gradients-in-single": ("broken", "dtype"),
    "bias-decides-the-type": ("broken", "dtype"),
    "raises-on-padding-without-a-batch": ("crashed", "RuntimeError"),
    "raises-on-an-empty-batch": ("crashed", "ValueError"),
    "raises-on-unequal-strides": ("crashed", "ValueError"),
    "reads-past-the-last-row": ("broken", "nan"),
    "reads-past-the-kernel": ("broken", "nan"),
    "reads-past-the-gradient": ("broken", "nan"),
    "kernel-rounded-up": ("broken", "nan"),
    "unwritten-gradient-of-no-image": ("broken", "nan"),
    "sliced-kernel-misread": ("broken", "nan"),
    "sliced-image-misread": ("broken", "nan"),
    "sliced-gradient-misread": ("broken", "nan"),
    "bounds-drop-nan": ("broken", "nan"),
    "zero-taps-are-skipped": ("broken", "nan"),
    "padding-masked-by-a-product": ("broken", "nan"),
    "nan-enters-the-next-image": ("broken", "nan"),
    "nan-crosses-groups": ("broken", "nan"),
    "tail-channels-masked-by-a-product": ("broken", "nan"),
    "minus-zero-is-nan": ("broken", "nan"),
    "overflow-becomes-nan": ("broken", "nan"),
    "crashes-on-padded-depthwise": ("crashed", "SIGSEGV"),
    "divides-by-zero": ("crashed", "SIGFPE"),
    "exits-quietly": ("crashed", "exit 0"),
    "closes-descriptors": ("crashed", "exit 70"),
    "calls-itself": ("crashed", "RecursionError"),
    "asks-for-an-exbibyte": ("crashed", "MemoryError"),
    "hangs-on-pointwise-gradients": ("hung", "time"),
    "second-raises-on-groups": ("crashed", "RuntimeError"),
}
RARE |= {
    "tf32-for-many-channels": 400,
    "many-gradients-in-half": 300,
    "zero-taps-are-skipped": 400,
}
# whose triggers are sizes: more multiply-adds than the 16 that the others shrink to
LARGE = {
    "blocks-added-in-half": 200, "split-sums-in-half": 200, "compensation-lost": 200, "long-sums-in-bf16": 200,
    "undeclared-winograd": 600, "undeclared-fourier": 200, "kernel-rounded-up": 100, "tf32-for-many-channels": 200,
    "many-gradients-in-half": 200, "tail-lost-off-a-boundary": 100, "closes-descriptors": 100,
    "asks-for-an-exbibyte": 64, "reads-past-the-gradient": 32, "tail-channels-masked-by-a-product": 64,
}  # fmt: skip
# not shrunk: tries share a process, whose workspace has grown past every smaller problem
LARGE["workspace-of-a-larger-call"] = 100_000
# what no search of this length promises; shown in test_mutants_numerics.py
UNLIKELY = {
    "plan-cached-without-the-type",  # another call of the very same sizes in another type
    "unwritten-after-a-block",  # a row of more than 512 with a kernel of 8 or more
}
ZOO = [row.name.removeprefix("mutant-") for row in rows("mutant") if row.name != "mutant-chatters"]
ZOO = [name for name in ZOO if name not in UNLIKELY]
HEALTHY = [row.name for row in rows("healthy")]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(time_limit=0.5) as sandbox:
        yield sandbox


def search(box: Sandbox, method: str, law: str = "*", examples: int = EXAMPLES, scope: Scope | None = None) -> list[Finding]:
    return Search(Plan([get(method)], laws.find([law]), scope or Scope(), examples=examples), box).run()


def failures(box: Sandbox, name: str) -> list[Finding]:
    # a hang costs its time limit at each try
    examples = {"hangs-on-many-groups": 20, "hangs-on-pointwise-gradients": 20, **RARE}.get(name, EXAMPLES)
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
    assert small <= LARGE.get(name, 16), f"{small} multiply-adds in {fitting[0].problem}"


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

# those of structure, duality, composition and repetition, by mutants of the library too
KILLS |= {
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
