"""The simplest problem, and the distance of other problems from it: the measure of how well a failure was shrunk."""

from __future__ import annotations

from convlaws.problem.problem import Problem

SIMPLEST = Problem.parse("n1c1k1_x1_r1")
_OF_SPEC = ("batch", "in_channels", "out_channels", "groups", "bias", "padding_mode", "transposed")
_OF_AXES = {  # the simplest value of each field with a value per axis
    "extent": 1,
    "kernel": 1,
    "stride": 1,
    "dilation": 1,
    "input_dilation": 1,
    "output_padding": 0,
}
_OF_PROBLEM = ("op", "dtype", "layout", "fill", "seed")


def apart(problem: Problem) -> tuple[str, ...]:
    """The fields in which a problem differs from the simplest one; a field with a value per axis is listed once.

    >>> apart(SIMPLEST)
    ()
    >>> apart(Problem.parse("n1c1k1_x1x3_r1x2_d1x2 float16"))
    ('ndim', 'extent', 'kernel', 'dilation', 'dtype')
    """
    spec, simple = problem.spec, SIMPLEST.spec
    names = ["ndim"] if spec.ndim > 1 else []
    names += [name for name in _OF_SPEC if getattr(spec, name) != getattr(simple, name)]
    names += [name for name, least in _OF_AXES.items() if any(n != least for n in getattr(spec, name))]
    names += ["padding"] if isinstance(spec.padding, str) or any(map(any, spec.padding)) else []
    return tuple(names + [name for name in _OF_PROBLEM if getattr(problem, name) != getattr(SIMPLEST, name)])
