"""Laws of repetition: the same question has the same answer, however the arrays lie and whatever ran before.

Where bits are compared, a method whose sums are in no fixed order ("varies") is excused; the other laws bind it as well.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convlaws.laws.registry import Ask, law
from convlaws.oracle.claim import Claim
from convlaws.problem.problem import Problem, roles, shape_of
from convlaws.problem.scope import FINITE, NOT_EMPTY, WIDE, Scope

CHANGING = tuple(fill for fill in FINITE if fill != "ones")  # another draw of ones is no other


def _never(count: float, says: str) -> Claim:
    """Something that may not happen happened `count` times."""
    zero = np.zeros(1)
    return Claim(np.full(1, float(count)), zero, zero, says, "allowed")


@law(Scope(**WIDE, batch=NOT_EMPTY), specific=3, fresh=True, unless="varies")
def the_same_bits_twice(p: Problem, ask: Ask) -> Claim:
    """The same call gives the same bits."""
    first, again = (ask.reply(p.spec, p.op, p.operands).output for _ in range(2))
    return Claim.same_bits(again, first, "second call", "first call")


@law(Scope(**WIDE, batch=NOT_EMPTY), specific=5, fresh=True)
def operands_are_left_alone(p: Problem, ask: Ask) -> Claim:
    """A call changes nothing in its operands' memory."""
    touched = ask.reply(p.spec, p.op, p.operands).touched
    return _never(len(touched), f"the number of changed operands ({', '.join(touched) or 'none'})")


@law(Scope(**WIDE, batch=NOT_EMPTY), specific=5, fresh=True)
def the_output_has_memory_of_its_own(p: Problem, ask: Ask) -> Claim:
    """The output does not lie in an operand's memory."""
    return _never(ask.reply(p.spec, p.op, p.operands).aliased, "the number of outputs in an operand's memory")


@law(Scope(**WIDE, batch=NOT_EMPTY, fills=CHANGING), specific=5, fresh=True)
def an_output_outlives_the_next_call(p: Problem, ask: Ask) -> Claim:
    """The next call, on other numbers, leaves the output of the one before as it was."""
    ask.reply(p.spec, p.op, p.operands)
    others = {role: p.draw(role, tag="next") for role in p.operands}
    return _never(ask.reply(p.spec, p.op, others).stale, "the number of earlier outputs changed")


@law(Scope(**WIDE, batch=NOT_EMPTY), specific=4, fresh=True, unless="varies")
def what_ran_before_does_not_matter(p: Problem, ask: Ask) -> Claim:
    """A call gives the same bits after a call of other sizes."""
    first = ask.reply(p.spec, p.op, p.operands).output
    other = replace(p.spec, extent=tuple(n + 3 for n in p.spec.extent))
    ask.reply(other, p.op, {role: p.draw(role, shape_of(other, role), "between") for role in roles(other, p.op)})
    again = ask.reply(p.spec, p.op, p.operands).output
    return Claim.same_bits(again, first, "after another size", "before it")


@law(Scope(**WIDE, batch=NOT_EMPTY, fills=FINITE), specific=5, fresh=True, unless="varies")
def nothing_outside_is_read(p: Problem, ask: Ask) -> Claim:
    """What lies around the operands in memory does not change a bit of the result."""
    near_nan, near_zero = (ask.reply(p.spec, p.op, p.operands, guard=guard).output for guard in ("nan", "zero"))
    return Claim.same_bits(near_nan, near_zero, "among NaN", "among zeros")


# bits are not required below: libraries choose another order of summation, which is right
@law(Scope(**WIDE, batch=NOT_EMPTY, fills=FINITE, layouts=("channels_last", "sliced", "expanded")), specific=4, fresh=True)
def layout_does_not_matter(p: Problem, ask: Ask) -> Claim:
    """The result is the same however the operands lie in memory."""
    laid, plain = (ask(p.spec, p.op, p.operands, layout=layout) for layout in (p.layout, "contiguous"))
    return Claim.equal(laid.called(p.layout), plain.called("contiguous"))


@law(Scope(**WIDE, batch=NOT_EMPTY, fills=FINITE), specific=4, fresh=True)
def alignment_does_not_matter(p: Problem, ask: Ask) -> list[Claim]:
    """The result is the same from a buffer that begins one, two or three elements later."""
    aligned = ask(p.spec, p.op, p.operands).called("aligned")
    moved = [(shift, ask(p.spec, p.op, p.operands, shift=shift)) for shift in (1, 2, 3)]
    return [Claim.equal(result.called(f"moved by {shift}"), aligned) for shift, result in moved]


@law(Scope(**WIDE, batch=NOT_EMPTY, fills=FINITE), needs="threads", specific=4, fresh=True)
def threads_do_not_matter(p: Problem, ask: Ask) -> list[Claim]:
    """The result is the same from one, two and four threads."""
    one = ask(p.spec, p.op, p.operands, threads=1).called("one thread")
    more = [(n, ask(p.spec, p.op, p.operands, threads=n)) for n in (2, 4)]
    return [Claim.equal(result.called(f"{n} threads"), one) for n, result in more]
