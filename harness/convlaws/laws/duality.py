"""Laws of duality: each gradient is the adjoint of the forward map, and the gradients of gradients close."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convlaws.laws.registry import Ask, law
from convlaws.oracle.claim import Claim
from convlaws.problem.problem import Problem
from convlaws.problem.scope import FINITE, NOT_EMPTY, WIDE, Scope
from convlaws.problem.spec import ConvSpec


@law(Scope(**WIDE, ops=("dgrad",), batch=NOT_EMPTY, fills=FINITE), specific=2)
def input_gradient_is_the_adjoint(p: Problem, ask: Ask) -> Claim:
    """<gy, conv(x, w)> = <dgrad(gy, w), x> for every x."""
    gy, w, x = p.operands["gy"], p.operands["w"], p.draw("x", tag="crossed")
    left = ask(replace(p.spec, bias=False), "fprop", {"x": x, "w": w}).dot(gy)
    right = ask(p.spec, "dgrad", p.operands).dot(x)
    return Claim.equal(right.called("<dgrad(gy, w), x>"), left.called("<gy, conv(x, w)>"))


@law(Scope(**WIDE, ops=("wgrad",), batch=NOT_EMPTY, fills=FINITE), specific=2)
def weight_gradient_is_the_adjoint(p: Problem, ask: Ask) -> Claim:
    """<gy, conv(x, w)> = <wgrad(x, gy), w> for every w."""
    x, gy, w = p.operands["x"], p.operands["gy"], p.draw("w", tag="crossed")
    left = ask(replace(p.spec, bias=False), "fprop", {"x": x, "w": w}).dot(gy)
    right = ask(p.spec, "wgrad", p.operands).dot(w)
    return Claim.equal(right.called("<wgrad(x, gy), w>"), left.called("<gy, conv(x, w)>"))


@law(Scope(**WIDE, ops=("bgrad",), batch=NOT_EMPTY, fills=FINITE, bias=(True,)), specific=2)
def bias_gradient_is_the_adjoint(p: Problem, ask: Ask) -> Claim:
    """<gy, b spread over y> = <bgrad(gy), b> for every b."""
    w, b = p.draw("w", tag="crossed"), p.draw("b", tag="crossed")
    spread = ask(p.spec, "fprop", {"x": np.zeros(p.spec.x_shape, p.format.dtype), "w": w, "b": b})
    left, right = spread.dot(p.operands["gy"]), ask(p.spec, "bgrad", p.operands).dot(b)
    return Claim.equal(right.called("<bgrad(gy), b>"), left.called("<gy, conv(0, w) + b>"))


def mirror(spec: ConvSpec) -> ConvSpec:
    """The convolution whose input gradient is `spec`'s forward map (zeros padding): plain and transposed exchanged.

    Its output is longer than `spec`'s input by output_padding // stride where `spec` is transposed.
    """
    ends = zip(spec.extent, spec.sides, spec.reach, spec.stride, strict=True)
    rest = tuple((n + sum(side) - reach) % s for n, side, reach, s in ends)
    return replace(
        spec,
        in_channels=spec.out_channels,
        out_channels=spec.in_channels,
        extent=spec.output,
        padding=spec.sides,
        transposed=not spec.transposed,
        output_padding=() if spec.transposed else rest,
        bias=False,
    )


# which op of the mirror gives an op, and what is called what there
_MIRRORED = {
    "fprop": ("dgrad", {"x": "gy", "w": "w"}),
    "dgrad": ("fprop", {"gy": "x", "w": "w"}),
    "wgrad": ("wgrad", {"gy": "x", "x": "gy"}),
}


@law(Scope(ops=tuple(_MIRRORED), batch=NOT_EMPTY, fills=FINITE, padding_mode=("zeros",)), specific=3)
def transposed_is_the_mirrors_gradient(p: Problem, ask: Ask) -> Claim:
    """A transposed convolution is the input gradient of its mirror, and the other way around."""
    bare, other = replace(p.spec, bias=False), mirror(p.spec)
    op, names = _MIRRORED[p.op]
    late = [(0, m - n) for m, n in zip(other.output, p.spec.extent, strict=True)]
    longer = {**p.operands}
    if "x" in longer:  # zeros that meet nothing
        x = longer["x"]
        longer["x"] = np.pad(x.astype(np.float64), [(0, 0)] * (x.ndim - len(late)) + late).astype(x.dtype)
    shorter = (..., *map(slice, p.spec.extent)) if p.op == "dgrad" else ...
    right = ask(other, op, {new: longer[old] for old, new in names.items()}).moved(lambda a: a[shorter])
    left = ask(bare, p.op, {role: p.operands[role] for role in names})
    return Claim.equal(left.called(p.op), right.called(f"{op} of the mirror"))


# the derivatives that differentiating each gradient once more needs
_SECOND = {"dgrad": ("second_w", "second_gy"), "wgrad": ("second_x", "second_gy")}


@law(
    Scope(**WIDE, ops=tuple(_SECOND), batch=NOT_EMPTY, fills=FINITE, dtypes=("float64", "float32")),
    needs="second",
    specific=3,
)
def gradients_of_gradients_are_convolutions(p: Problem, ask: Ask) -> list[Claim]:
    """Differentiating <dgrad(gy, w), v> + <wgrad(x, gy), u> gives convolutions again.

    By x: dgrad(gy, u); by w: wgrad(v, gy); by gy: conv(v, w) + conv(x, u), without bias.
    """
    operands = {role: p.operands[role] if role in p.operands else p.draw(role) for role in ("x", "w", "gy")}
    operands |= {"v": p.draw("x", tag="v"), "u": p.draw("w", tag="u")}
    asked = [(op, ask.reply(p.spec, op, operands), ask.definition(p.spec, op, operands)) for op in _SECOND[p.op]]
    return [replace(Claim.of_answer(reply.output, *defined), left=op) for op, reply, defined in asked]
