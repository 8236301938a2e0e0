"""Random problems, drawn independently of the package's own strategies."""

from __future__ import annotations

from convlaws.errors import SpecError
from convlaws.problem.problem import Problem
from convlaws.problem.spec import PADDING_MODES, ConvSpec
from convlaws.problem.spec_rules import why_empty


def random_problem(rng, scope):
    """Return a random problem within `scope`, by rejection."""
    while True:
        try:
            spec = random_spec(rng, rng.choice(scope.ndim), rng.choice(scope.transposed))
            if why_empty(spec):
                continue
            problem = Problem(
                spec=spec,
                op=rng.choice(scope.ops),
                dtype=rng.choice(scope.dtypes),
                layout=rng.choice(scope.layouts),
                fill=rng.choice(scope.fills),
                seed=rng.randrange(10**6),
            )
        except SpecError:
            continue
        if scope.refuses(problem) is None:
            return problem


def random_spec(rng, ndim, transposed):
    groups = rng.choice([1, 1, 2, 3])
    stride, dilation = ([rng.choice([1, 1, 2, 3]) for _ in range(ndim)] for _ in range(2))
    even = tuple((p, p) for p in (rng.randint(0, 2) for _ in range(ndim)))
    return ConvSpec(
        batch=rng.choice([None, 0, 1, 2, 3]),
        in_channels=groups * rng.choice([1, 2, 5]),
        out_channels=groups * rng.choice([1, 2, 9]),
        extent=tuple(rng.randint(1, 9) for _ in range(ndim)),
        kernel=tuple(rng.randint(1, 3) for _ in range(ndim)),
        stride=tuple(stride),
        dilation=tuple(dilation),
        padding=even if transposed else rng.choice([even, even, "same", "valid"]),
        groups=groups,
        bias=rng.random() < 0.5,
        transposed=transposed,
        padding_mode="zeros" if transposed else rng.choice(["zeros", rng.choice(PADDING_MODES)]),
        output_padding=tuple(rng.randrange(max(pair)) if transposed else 0 for pair in zip(stride, dilation, strict=True)),
    )


def within(row, **fields):
    """Return the row's scope, narrowed to `fields`."""
    values = {name: getattr(row.scope, name) for name in row.scope.__dataclass_fields__}
    return type(row.scope)(**{**values, **{k: tuple(v for v in values[k] if v in allowed) for k, allowed in fields.items()}})
