"""Expected results for each mutant, by name. A mutant without a row gives a wrong number under the definition."""

from __future__ import annotations

from convlaws.problem.scope import Scope

EXAMPLES = 30
MANY = 200  # examples where a Scope cannot express the required sizes, so that they must be drawn by chance
EXACT = 3  # the weight of a trigger for exact or large sizes
# a hang costs its time limit at each try; of the others, each needs several sizes at once
COUNTS = {"hangs-on-many-groups": 12, "flat-half-volumes": 800, "dgrad-row-tail": 500}
# mutants that are right on a single call: the law that calls twice, or checks something else
OTHERS = {
    "writes-into-the-input": "operands-are-left-alone",
    "returns-its-buffer": "an-output-outlives-the-next-call",
    "random-last-bit": "the-same-bits-twice",
    "reads-before-the-input": "nothing-outside-is-read",
    "same-pads-low": "padding-words-are-numbers",
    "stale-cache": "additive-in-w",
}
# scopes for rare mistakes whose triggers do not determine the numbers or sizes that show them
NARROW = {
    "absolute-epsilon": Scope(fills=("tiny", "normal")),
    "flush-to-zero": Scope(fills=("tiny",)),
    "saturates": Scope(fills=("huge", "special")),
    "nan-swallowed": Scope(fills=("special",)),
}
# (verdict, signature) of mutants that do not just give a wrong number
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
# the exact line that some mutants shrink to; the failure is that in SIGNATURES
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
# the multiply-adds of the line that the other mutants shrink to, where the least that shows them is more than 16
LARGE = {
    "dgrad-of-1023-results": 2048,
    "dgrad-row-tail": 160,
    "element-on-the-seam": 80,
    "half-of-the-split-products": 128,
    "last-of-1024-results": 2048,
    "tiles-of-two": 40,
    "width-tail-repeats": 160,
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
COUNTS |= {
    "tf32-for-many-channels": 400,
    "many-gradients-in-half": 300,
    "zero-taps-are-skipped": 400,
}
# mutants whose triggers are sizes
LARGE |= {
    "blocks-added-in-half": 200, "split-sums-in-half": 200, "compensation-lost": 200, "long-sums-in-bf16": 200,
    "undeclared-winograd": 600, "undeclared-fourier": 200, "kernel-rounded-up": 100, "tf32-for-many-channels": 200,
    "many-gradients-in-half": 200, "tail-lost-off-a-boundary": 100, "closes-descriptors": 100,
    "workspace-of-a-larger-call": 600,
    "leaves-rounding-upward": 3000,
    "ties-away-from-zero": 64,
    "rounded-twice": 64,
    "flat-half-volumes": 64, "zero-taps-are-skipped": 64, "inf-is-the-largest-number": 32,
    "random-last-bit": 2000,  # what is small does not repeat, so the first problem is kept
    "asks-for-an-exbibyte": 64, "reads-past-the-gradient": 32, "tail-channels-masked-by-a-product": 64,
}  # fmt: skip
# mutants that a search of this length may miss; shown in test_mutants_numerics.py
UNLIKELY = {
    "plan-cached-without-the-type",  # another call of the very same sizes in another type
    "unwritten-after-a-block",  # a row of more than 512 with a kernel of 8 or more
}
