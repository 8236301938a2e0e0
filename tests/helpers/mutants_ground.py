"""The Scope in which a mutant's triggers can hold, as far as a Scope can express it, and a check that its mistake shows.

Only the project's own tests are narrowed in this way, to save time; the search that is measured is not.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np

from convlaws.mutants import TRIGGERS, Mutant, right
from convlaws.problem.problem import OPS, Problem
from convlaws.problem.scope import WHOLE, Scope
from convlaws.targets.loading import find
from convlaws.targets.registry import get

NUMBERS = ("even", "uneven")
PADDED = (*NUMBERS, "same", "sameupper", "samelower", "negative")
FIELDS: dict[str, dict] = {
    "1d": {"ndim": (1,)},
    "2d": {"ndim": (2,)},
    "3d": {"ndim": (3,)},
    "strided": {"strided": (True,)},
    "unstrided": {"strided": (False,)},
    "stride-3": {"stride": (3, 4)},
    "stride-over-kernel": {"strided": (True,), "kernel": (1, 2)},
    "stride-over-extent": {"stride": (3, 4, 5), "kernel": (1, 2)},
    "unused-tail": {"strided": (True,)},
    "unused-2": {"stride": (3, 4)},
    "dilated": {"dilated": (True,)},
    "padded": {"padding": PADDED},
    "same": {"padding": ("same",)},
    "same-size": {"padding": ("sameupper", "samelower")},
    "same-lower": {"padding": ("samelower",)},
    "uneven-padding": {"padding": ("uneven",)},
    "negative-padding": {"padding": ("negative",)},
    "padding-2": {"padding": NUMBERS},
    "padding-6": {"padding": NUMBERS},
    "padding-over-kernel": {"padding": NUMBERS, "kernel": (1, 2)},
    "padding-over-extent": {"padding": NUMBERS, "kernel": (1, 2, 3)},
    "padding-mode": {"padding_mode": ("reflect", "replicate", "circular")},
    "reflect": {"padding_mode": ("reflect",)},
    "replicate": {"padding_mode": ("replicate",)},
    "circular": {"padding_mode": ("circular",)},
    "output-padding": {"output_padding": (True,)},
    "output-padding-over-stride": {"output_padding": (True,), "dilated": (True,), "stride": (1, 2)},
    "grouped": {"grouping": ("some", "depthwise")},
    "depthwise": {"grouping": ("depthwise",)},
    "many-groups": {"grouping": ("some", "depthwise")},
    "lone-channel": {"grouping": ("one",), "channels": (1, 0)},
    "transposed": {"transposed": (True,)},
    "bias": {"bias": (True,)},
    "pointwise": {"kernel": (1,)},
    "even-kernel": {"kernel": (1, 2, 4)},
    "kernel-3": {"kernel": (3,)},
    "kernel-tail-4": {"kernel": (1, 5, 6)},
    "large-kernel": {"kernel": (1, 8, 9)},
    "very-large-kernel": {"kernel": (1, 16, 17)},
    "unequal-kernel": {"ndim": (2, 3)},
    "unequal-stride": {"ndim": (2, 3), "strided": (True,)},
    "unequal-dilation": {"ndim": (2, 3), "dilated": (True,)},
    "unequal-padding": {"ndim": (2, 3)},
    "anisotropic": {"ndim": (2, 3)},
    "input-dilated": {"input_dilated": (True,)},
    "empty-result": {"empty": (True,)},
    "unbatched": {"batch": ("unbatched",)},
    "empty-batch": {"batch": ("empty",)},
    "images": {"batch": ("many",)},
    "odd-images": {"batch": ("many",)},
    "image-tail-4": {"batch": ("many",)},
    "image-tail-32": {"batch": ("many",)},
    "many-images": {"batch": ("many",)},
    "float64": {"dtypes": ("float64",)},
    "float32": {"dtypes": ("float32",)},
    "half": {"dtypes": ("float16", "bfloat16")},
    "nan": {"fills": ("special",)},
    "inf": {"fills": ("special",)},
    "subnormal": {"fills": ("tiny",)},
    "channels-last": {"layouts": ("channels_last",)},
    "stride-0": {"layouts": ("expanded",)},
    "3-groups": {"grouping": ("some", "depthwise")},
    "3x3": {"ndim": (2,), "kernel": (3,), "stride": (1,), "dilation": (1,)},
    "minus-zero": {"fills": ("special",)},
    "whole-numbers": {"fills": ("integers",)},
    "small-numbers": {"fills": ("tiny",)},
    "tiny-products": {"fills": ("tiny", "wild")},
    "large-numbers": {"fills": ("huge",)},
    "gaps": {"layouts": ("channels_last", "sliced")},
    "sliced": {"layouts": ("sliced",)},
    "misaligned": {"layouts": ("sliced",)},
    "one-place": {"batch": ("unbatched", "one")},
    "one-result": {"batch": ("unbatched", "one")},
}


def narrowed(mistake: Mutant, *also: Scope) -> Scope:
    """Return the Scope of the ops that a mutant gets wrong and of its triggers, as far as FIELDS has them."""
    own = tuple(op for op in OPS if op in mistake.ops) or OPS  # a double backward is not in OPS
    scopes = [replace(WHOLE, ops=own), *(replace(WHOLE, **FIELDS.get(word, {})) for word in mistake.needs), *also]
    found = reduce(lambda one, other: one and one.meet(other), scopes)
    assert found, f"no problem has all of {mistake.needs}"
    return found


# --- without a sandbox -------------------------------------------------------------------
def applies(mistake: Mutant, problem: Problem) -> bool:
    """True if all triggers of a mutant hold."""
    triggers = (TRIGGERS[word].holds for word in mistake.needs)
    return problem.op in (mistake.ops or (problem.op,)) and all(
        holds(problem.spec, problem.op, problem.operands) for holds in triggers
    )


def given(mistake: Mutant, problem: Problem) -> np.ndarray:
    """Return the mutant's result, computed from copies of the operands."""
    method = find(get(f"mutant-{mistake.name}").address)
    return method(problem.spec, problem.op, {role: a.copy() for role, a in problem.operands.items()}, {})


def shows(mistake: Mutant, problem: Problem) -> bool:
    """True if the triggers hold and the mutant's result differs from the right one."""
    if not applies(mistake, problem):
        return False
    try:
        found = given(mistake, problem)
    except RuntimeError:
        return True
    expected = right(problem.spec, problem.op, problem.operands)
    return found.shape != expected.shape or not np.array_equal(found.astype(float), expected.astype(float))
