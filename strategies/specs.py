"""Hypothesis strategy for specs: valid by construction, within a scope, without filtering."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import product
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from convlaws.errors import SpecError, UsageError
from convlaws.problem.features import features
from convlaws.problem.problem import Problem
from convlaws.problem.scope import ORDINARY, Scope
from convlaws.problem.spec import ConvSpec
from convlaws.strategies.build import spec_of
from convlaws.strategies.hints import Guided, Hint
from convlaws.strategies.size_limits import VAST, SizeLimits, fitted
from convlaws.strategies.tables import SCALES, Draft, Kind, Pick, Shape, menu, raw_numbers

MAX_MACS = 100_000
SEEDS = 1000  # one seed determines thousands of numbers: drawn element by element they shrink slowly and are hard to read

# The first is what a problem shrinks to. The numbers are weights.
_WEIGHTS: dict[str, dict] = {
    "ndim": {1: 2, 2: 3, 3: 2},
    "grouping": {"one": 2, "depthwise": 1, "some": 1},
    "batch": {"one": 6, "many": 9, "empty": 1, "unbatched": 2},
    "transposed": {False: 2, True: 1},
    "padding": {"none": 3, "even": 4, "uneven": 3, "valid": 1, "same": 2, "sameupper": 2, "samelower": 1, "negative": 4},
    "padding_mode": {"zeros": 3, "reflect": 1, "replicate": 1, "circular": 1},
    "output_padding": {False: 1, True: 1},
    "strided": {False: 1, True: 1},
    "dilated": {False: 1, True: 1},
    "input_dilated": {False: 2, True: 1},
    "empty": {False: 7, True: 1},
    "bias": {False: 1, True: 1},
    "op": {"fprop": 2, "dgrad": 2, "wgrad": 2, "bgrad": 1},
    "dtype": {"float32": 1, "float64": 1, "float16": 1, "bfloat16": 1},
    "layout": {"contiguous": 2, "channels_last": 1, "sliced": 1, "expanded": 1},
    "fill": {"integers": 4, "onehot": 2, "sparse": 3, "normal": 2},
    "scale": {"small": 18, "channels": 18, "space": 18, "images": 6, "kernel": 6, "vast": 1, "layers": 3},
}


def weighted(field: str, values: Iterable) -> tuple:
    """Return the values in the order of the field's weights, each repeated by its weight."""
    weights = _WEIGHTS[field]
    order = list(weights)
    # not a set: its order of values without a weight would depend on their hashes and differ between processes
    ranked = sorted(dict.fromkeys(values), key=lambda v: order.index(v) if v in weights else len(order))
    return tuple(v for v in ranked for _ in range(weights.get(v, 1)))


@lru_cache(maxsize=256)
def _index(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


def picker(draw: st.DrawFn) -> Pick:
    """Return a `Pick` that draws the index of an entry."""
    return lambda name, table, axis=0: table[draw(_index(len(table)))]


def _first(name, table, axis=0):
    return table[0]


class Tree:
    """Rows of features, drawn one feature at a time: every choice leads to some row.

    A feature that varies is drawn even if only one value is left: all rows then take equally many draws,
    and shrinking does not prefer a row for being shorter (seen: padding 'same', which leaves no choice of
    stride, preferred to none).
    """

    def __init__(self, fields: tuple[str, ...], rows: Collection[tuple]):
        found: dict[tuple, list] = {}
        for row in rows:
            for depth in range(len(fields)):
                found.setdefault(row[:depth], []).append(row[depth])
        self._varied = {field: len(set(values)) > 1 for field, values in zip(fields, zip(*rows, strict=True), strict=True)}
        self._options = {prefix: weighted(fields[len(prefix)], values) for prefix, values in found.items()}

    def pick(self, pick: Pick) -> tuple:
        """Pick one row."""
        prefix: tuple = ()
        for field, varied in self._varied.items():
            options = self._options[prefix]
            prefix = (*prefix, pick(field, options) if varied else options[0])
        return prefix


WORDS = ("ops", "dtypes", "layouts", "fills")  # the features of a problem that are none of its spec


class _Geometry:
    """The shapes and kinds of a scope, as trees to pick from."""

    def __init__(self, kinds: dict[Shape, tuple[Kind, ...]]):
        self.kinds = kinds
        self.shapes = Tree(Shape._fields, kinds)
        trees = {rows: Tree(Kind._fields, rows) for rows in set(kinds.values())}
        self.trees = {shape: trees[rows] for shape, rows in kinds.items()}


_GEOMETRIES: dict[tuple, _Geometry] = {}
_ADMITS: dict[tuple, bool] = {}
_Value = TypeVar("_Value")


def _kept(table: dict[tuple, _Value], key: tuple, make: Callable[[], _Value]) -> _Value:
    if key not in table:
        table[key] = make()
    return table[key]


class SpecSpace:
    """The specs and problems that can be drawn within a scope and limits.

    Raises:
        UsageError: nothing can be drawn; the message has the reason.
    """

    def __init__(self, scope: Scope, limits: SizeLimits):
        self.scope, self.limits = scope, limits
        self._limits = {"vast": limits._replace(operand=VAST)}
        calls = [(op, bias) for op, bias in product(scope.ops, scope.bias) if bias or op != "bgrad"]
        _reject_empty(scope, calls)
        self.biases = weighted("bias", (bias for _, bias in calls))
        self._calls = Tree(("op", "bias"), calls)
        self._words = {word: weighted(word, getattr(scope, f"{word}s")) for word in ("dtype", "layout", "fill")}
        self._menus = {(g, s): menu(scope, g, s) for g in scope.grouping for s in SCALES}
        self._scales = weighted("scale", SCALES)
        self._op, self._bias = self._calls.pick(_first)
        self._tables = {g: tuple(self._menus[g, "small"].items()) for g in scope.grouping}
        self._bounds = (scope.kernel, scope.stride, scope.dilation, scope.channels, scope.macs, scope.matrix)
        # shapes and kinds do not depend on the words: hundreds of scopes differ in nothing else
        self._alike = (replace(scope, **{word: getattr(ORDINARY, word) for word in WORDS}), self._bias, limits)
        if not _kept(_ADMITS, self._alike, self._admits_some):
            raise UsageError(f"the scope admits no problem: {self._reason()}")

    @property
    def kinds(self) -> dict[Shape, tuple[Kind, ...]]:
        """The kinds that each shape can have, without shapes that have none."""
        return self._geometry.kinds

    @cached_property
    def _geometry(self) -> _Geometry:
        """Made at the first draw, as a search lays out many more scopes than it draws from."""
        return _kept(_GEOMETRIES, self._alike, lambda: _Geometry(self._kinds()))

    def _kinds(self) -> dict[Shape, tuple[Kind, ...]]:
        kinds = [kind for kind in self._all_kinds() if conflict(kind) is None]
        shapes = self._all_shapes()
        # the least spec grows with each feature of the shape: a kind that the largest shape can have, every shape can
        dearest = tuple(kind for kind in kinds if self._refusal(shapes[0], kind) is None)
        if len(dearest) == len(kinds):
            return dict.fromkeys(shapes, dearest) if kinds else {}
        found = {shape: tuple(kind for kind in kinds if self._refusal(shape, kind) is None) for shape in shapes}
        return {shape: rows for shape, rows in found.items() if rows}

    def problem(self, pick: Pick, seed: int) -> Problem:
        """Pick one problem. Words are picked before numbers, so that removing a number in shrinking does not shift them."""
        op, bias = self._calls.pick(pick)
        words = {word: pick(word, table) for word, table in self._words.items()}
        return Problem(spec=self.spec(pick, bias), op=op, **words, seed=seed)

    def guided(self, hint: Hint, random: Random) -> tuple[Problem, list[int]]:
        """Return a problem that follows `hint` as far as the scope allows, and the choices with which `problems` draws it."""
        pick = Guided(hint, random)
        seed = int(random.random() * SEEDS)
        return self.problem(pick, seed), [seed, *pick.choices]

    def spec(self, pick: Pick, bias: bool) -> ConvSpec:
        """Pick one spec."""
        shape = Shape(*self._geometry.shapes.pick(pick))
        kind = Kind(*self._geometry.trees[shape].pick(pick))
        scale = pick("scale", self._scales)
        draft = Draft(shape, kind, bias, self._menus[shape.grouping, scale])
        return fitted(draft, raw_numbers(pick, draft), self._limits.get(scale, self.limits))

    # --- compatible shapes and kinds ---------------------------------------------
    def _all_shapes(self) -> list[Shape]:
        """Return every shape, the one with the most multiply-adds first."""
        cost = {"some": 2, "depthwise": 1, "many": 1}
        rows = [Shape(*row) for row in product(self.scope.ndim, self.scope.grouping, self.scope.batch)]
        return sorted(rows, key=lambda s: (-s.ndim, -cost.get(s.grouping, 0), -cost.get(s.batch, 0)))

    def _all_kinds(self) -> list[Kind]:
        return [Kind(*row) for row in product(*(getattr(self.scope, name) for name in Kind._fields))]

    def _admits_some(self) -> bool:
        """True if some shape can have some kind."""
        kinds, shapes = (kind for kind in self._all_kinds() if conflict(kind) is None), self._all_shapes()
        return any(self._refusal(shape, kind) is None for kind in kinds for shape in shapes)

    def _refusal(self, shape: Shape, kind: Kind) -> str | None:
        """Return why the least spec of this shape and kind is refused, or None: every other draw can be cut down to the least."""
        spec = _least(shape, kind, self._bias, self._tables[shape.grouping])
        key = (self._bounds, self.limits)
        reasons = vars(spec).setdefault("_refusals", {})  # hundreds of scopes ask for the same few thousand specs
        if key not in reasons:
            reasons[key] = self.scope.refuses_size(spec) or self.limits.exceeded(spec)
        return reasons[key] or self._refused_feature(spec)

    def _refused_feature(self, spec: ConvSpec) -> str | None:
        """Return which feature of a spec is out of the scope, in words; None if all are in it."""
        if all(value in getattr(self.scope, name) for name, value in features(_plain(spec)).items() if name not in WORDS):
            return None
        words = {word: table[0] for word, table in self._words.items()}
        return self.scope.refuses(Problem(spec=spec, op=self._op, **words))

    def _reason(self) -> str:
        shape = self._all_shapes()[-1]
        reasons = [conflict(kind) or self._refusal(shape, kind) for kind in self._all_kinds()]
        return next(reason for reason in reasons if reason)


def _plain(spec: ConvSpec) -> Problem:
    """Return the problem with this spec whose words are the first; kept in the spec."""
    kept = vars(spec)
    if "_plain" not in kept:
        kept["_plain"] = Problem(spec=spec)
    return kept["_plain"]


@lru_cache(maxsize=1 << 15)
def _least(shape: Shape, kind: Kind, bias: bool, tables: tuple[tuple[str, tuple[int, ...]], ...]) -> ConvSpec:
    """Return the spec of the first entry of each number's table; the tables are pairs of a name and its entries."""
    draft = Draft(shape, kind, bias, dict(tables))
    return spec_of(draft, raw_numbers(_first, draft))


@lru_cache(maxsize=4096)
def conflict(kind: Kind) -> str | None:
    """Return why no spec is of this kind, whatever its sizes, in the words of the spec's own rule; None if one is."""
    shape = Shape(1, "one", "one")
    try:
        spec = _least(shape, kind, False, tuple(menu(Scope(), shape.grouping, "small").items()))
    except SpecError as error:
        return str(error).partition("\n")[0]
    found = features(Problem(spec=spec))
    if found["output_padding"] != kind.output_padding:
        return "an output_padding needs a transposed convolution with a stride or dilation over 1"
    return None


def _reject_empty(scope: Scope, calls: list) -> None:
    names = ("ops", "dtypes", "layouts", "fills", "bias", *Shape._fields, *Kind._fields)
    for name in names:
        if not getattr(scope, name):
            raise UsageError(f"the scope admits no problem: its {name} is empty")
    if not calls:
        raise UsageError("the scope admits no problem: bgrad needs a bias, and bias is only no")


@lru_cache(maxsize=4096)
def plan(scope: Scope, max_macs: int) -> SpecSpace:
    """Return the cached space of a scope."""
    if max_macs < 1:
        raise UsageError(f"max_macs is {max_macs}, the least is 1")
    return SpecSpace(scope, SizeLimits(min(max_macs, scope.macs or max_macs), scope.matrix))


@st.composite
def _specs(draw, plan: SpecSpace) -> ConvSpec:
    pick = picker(draw)
    return plan.spec(pick, pick("bias", plan.biases))


def conv_specs(scope: Scope | None = None, *, max_macs: int = MAX_MACS) -> st.SearchStrategy[ConvSpec]:
    """Return a strategy for the specs of the problems within `scope`.

    Valid by construction: nothing is filtered, and no draw raises. Shrinks towards one axis, one
    group, one image, no padding, stride and dilation 1, one channel, a kernel of one tap that is
    as large as the input.

    Raises:
        UsageError: the scope admits nothing.
    """
    return _specs(plan(scope or Scope(), max_macs))
