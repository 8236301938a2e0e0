"""Problem: a spec with op, dtype, layout, fill and seed; one line of text determines all arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from convlaws.errors import LineError, SpecError
from convlaws.problem.fills import FILLS, filled, generator, recipe
from convlaws.problem.formats import FORMATS, Format
from convlaws.problem.kept_hash import fields_only, kept_hash
from convlaws.problem.spec import ConvSpec

OPS = ("fprop", "dgrad", "wgrad", "bgrad")
DTYPES = tuple(FORMATS)
LAYOUTS = ("contiguous", "channels_last", "sliced", "expanded")

# the operands of each op; b only if the spec has a bias
ROLES = {"fprop": ("x", "w", "b"), "dgrad": ("gy", "w"), "wgrad": ("x", "gy"), "bgrad": ("gy",)}
RESULT = {"fprop": "y", "dgrad": "x", "wgrad": "w", "bgrad": "b"}


def shape_of(spec: ConvSpec, role: str) -> tuple[int, ...]:
    """Return the shape of x, w, b, y, or of a gradient (gy has that of y)."""
    return getattr(spec, f"{role[-1]}_shape")


def roles(spec: ConvSpec, op: str) -> tuple[str, ...]:
    """Return the operands of `op`; fprop has b if there is a bias."""
    return tuple(r for r in ROLES[op] if r != "b" or spec.bias)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One convolution to be computed, with its data: spec, op, dtype, layout, fill and seed.

    Operands, by op: fprop (x, w, b), dgrad (gy, w), wgrad (x, gy), bgrad (gy).
    `layout` is the memory layout of x and gy (for channels_last and sliced also of w):
    `channels_last` has the channels next to each other, `sliced` is every second column of
    a larger array, with an offset, `expanded` repeats the first image with stride 0.

    Raises:
        SpecError: an unknown op, dtype, layout or fill, or a bgrad without bias.
        LineError: from `parse`, a text that is not a problem.

    >>> p = Problem.parse("n2c2k3_x5_r3 wgrad float16 seed=7")
    >>> str(p)
    'n2c2k3_x5_r3_s1_p0_d1_g1 wgrad float16 contiguous integers seed=7'
    >>> {role: a.shape for role, a in p.operands.items()}
    {'x': (2, 2, 5), 'gy': (2, 3, 3)}
    """

    spec: ConvSpec
    op: str = "fprop"
    dtype: str = "float32"
    layout: str = "contiguous"
    fill: str = "integers"
    seed: int = 0

    __hash__ = kept_hash
    __getstate__ = fields_only

    def __post_init__(self):
        for name, words in VOCABULARY.items():
            if getattr(self, name) not in words:
                raise SpecError(f"{name} {getattr(self, name)!r} is none of {', '.join(words)}")
        if self.seed < 0:
            raise SpecError(f"seed is {self.seed}, the least is 0")
        if self.op == "bgrad" and not self.spec.bias:
            raise SpecError(f"bgrad needs a bias, the spec has none, in {self.spec}")

    @cached_property
    def format(self) -> Format:
        """The number format of every operand and of the result."""
        return FORMATS[self.dtype]

    @cached_property
    def operands(self) -> dict[str, np.ndarray]:
        """The arrays that the op reads, in C order; `layout` says how to lay them out in memory."""
        return {role: self.draw(role) for role in roles(self.spec, self.op)}

    def draw(self, role: str, shape: tuple[int, ...] | None = None, tag: str = "") -> np.ndarray:
        """Return a read-only array for `role`; a `tag` gives another one of the same kind."""
        shape = shape_of(self.spec, role) if shape is None else shape
        key = (role, shape, tag)
        if key not in self._drawn:
            self._drawn[key] = self._fill(role, shape, tag)
        return self._drawn[key]

    @cached_property
    def _drawn(self) -> dict[tuple, np.ndarray]:
        return {}

    def _fill(self, role: str, shape: tuple[int, ...], tag: str) -> np.ndarray:
        rng = generator(self.seed, role + tag)
        made = filled(self.fill, rng, shape, recipe(self.spec, self.op, self.format, role, self.seed))
        if self.layout == "expanded" and role in ("x", "gy") and made.shape[0]:
            made[:] = made[:1]
        made.setflags(write=False)  # shared by every law and method of this problem
        return made

    def rng(self, tag: str) -> np.random.Generator:
        """Return a generator for a law's random choices, seeded by the problem so that a line repeats them."""
        return generator(self.seed, f"law {tag}")

    @cached_property
    def _text(self) -> str:
        return f"{self.spec} {self.op} {self.dtype} {self.layout} {self.fill} seed={self.seed}"

    def __str__(self) -> str:
        return self._text

    @staticmethod
    def parse(text: str) -> Problem:
        """Return the problem whose text is `text`; words may be omitted and may be in any order."""
        head, *words = text.split() or [""]
        fields: dict = {}
        for word in words:
            name, value = _word(word)
            if name in fields:
                raise LineError(f"{text!r} gives the {name} twice")
            fields[name] = value
        return Problem(spec=ConvSpec.parse(head), **fields)

    def _repr_pretty_(self, printer, cycle):
        printer.text(f"Problem.parse({str(self)!r})")


VOCABULARY = {"op": OPS, "dtype": DTYPES, "layout": LAYOUTS, "fill": tuple(FILLS)}


def _word(word: str) -> tuple[str, object]:
    key, _, value = word.partition("=")
    if key == "seed" and value.isascii() and value.isdigit():
        return "seed", int(value)
    for name, words in VOCABULARY.items():
        if word in words:
            return name, word
    known = ", ".join(w for words in VOCABULARY.values() for w in words)
    raise LineError(f"{word!r} is no word of a problem line; there are {known} and seed=N")
