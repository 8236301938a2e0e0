"""Uniform: configurations as a loop over `random` draws them, without preferred corner cases, and standard normal numbers.

It draws more than such a loop usually does: every field of a problem is drawn if the method's scope has
it (uneven and cropping padding, the padding modes, zeros between inputs, all four ops), so that it can find every
mutant in principle, and misses one only by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np

from convlaws.errors import SpecError
from convlaws.mutation.baseline import Question
from convlaws.problem.problem import DTYPES, OPS, Problem
from convlaws.problem.scope import Scope
from convlaws.problem.spec import PADDING_MODES, ConvSpec
from convlaws.problem.spec_text import PADDING_WORDS
from convlaws.targets.registry import Method

# the largest value of each uniform size; the smallest is 1, of padding 0
MOST = {"groups": 4, "columns": 4, "rows": 4, "batch": 4, "extent": 16, "kernel": 5, "stride": 3, "dilation": 3, "padding": 3}


def questions(method: Method, seed: int) -> Iterator[Question]:
    """Yield questions within the method's scope without end; dtypes in turn, float32 first."""
    rng = np.random.default_rng(seed)
    order = ("float32", *(name for name in DTYPES if name != "float32"))
    dtypes = [name for name in order if name in method.scope.dtypes]
    for number in count():
        yield Question.of(_problem(rng, method.scope, dtypes[number % len(dtypes)]))


def _problem(rng: np.random.Generator, scope: Scope, dtype: str) -> Problem:
    """One random problem; impossible or out-of-scope ones are drawn again."""
    while True:
        op = OPS[rng.integers(len(OPS))]
        try:
            spec = _spec(rng, scope, bias=op == "bgrad" or bool(rng.integers(2)))
        except SpecError:
            continue
        problem = Problem(spec=spec, op=op, dtype=dtype, fill="normal", seed=int(rng.integers(1000)))
        if scope.refuses(problem) is None:
            return problem


def _spec(rng: np.random.Generator, scope: Scope, bias: bool) -> ConvSpec:
    def size(name: str) -> int:
        return int(rng.integers(1, MOST[name] + 1))

    ndim, transposed, groups = int(rng.integers(1, 4)), bool(rng.integers(2)), size("groups")
    axes = {name: tuple(size(name) for _ in range(ndim)) for name in ("extent", "kernel", "stride", "dilation")}
    if not transposed and True in scope.input_dilated:
        axes["input_dilation"] = tuple(int(rng.integers(1, 3)) for _ in range(ndim))
    if transposed:
        room = zip(axes["stride"], axes["dilation"], strict=True)
        axes["output_padding"] = tuple(int(rng.integers(max(pair))) for pair in room)
    return ConvSpec(
        batch=size("batch"),
        in_channels=groups * size("columns"),
        out_channels=groups * size("rows"),
        groups=groups,
        bias=bias,
        transposed=transposed,
        padding=_padding(rng, scope, ndim),
        padding_mode="zeros" if transposed else PADDING_MODES[rng.integers(len(PADDING_MODES))],
        **axes,
    )


def _padding(rng: np.random.Generator, scope: Scope, ndim: int) -> tuple[tuple[int, int], ...] | str:
    """A padding word that the scope allows, or numbers: the same on both sides, or two."""
    words = [word for word in PADDING_WORDS if word in scope.padding]
    choice = int(rng.integers(len(words) + 2))
    if choice < len(words):
        return words[choice]
    least = -2 if "negative" in scope.padding else 0
    sides = [[int(n) for n in rng.integers(least, MOST["padding"] + 1, 2)] for _ in range(ndim)]
    even = choice == len(words)
    return tuple((low, low) if even else (low, high) for low, high in sides)
