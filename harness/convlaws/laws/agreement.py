"""Laws of agreement: with the definition, and with whoever else can do the same."""

from __future__ import annotations

from convlaws.laws.registry import Ask, law
from convlaws.laws.special import within_the_field
from convlaws.oracle.claim import Claim, judge
from convlaws.problem.fills import FILLS
from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE, WIDE, Scope


@law(WHOLE, weight=4.0, specific=0)
def equals_the_definition(p: Problem, ask: Ask) -> list[Claim]:
    """Each result is the sum of products that defines it, within the method's contract."""
    return within_the_field(p, ask, p.operands)


# an Inf or NaN in a kernel may or may not meet the zeros of a padding: peers differ there by right
@law(Scope(**WIDE, ops=("fprop", "dgrad", "wgrad"), fills=tuple(f for f in FILLS if f != "special")), specific=0)
def equals_the_other_methods(p: Problem, ask: Ask) -> list[Claim]:
    """Methods that share no code give the same result, each within its own contract."""
    mine = ask(p.spec, p.op, p.operands).called("this method")
    asked = {name: ask.peer(name, p.spec, p.op, p.operands) for name in ask.peers}
    peers = [result.called(name) for name, result in asked.items() if result is not None]
    claims = [Claim.equal(mine, peer) for peer in peers]
    agree = all(judge(Claim.equal(peers[0], peer)) is None for peer in peers[1:])
    if len(peers) > 1 and agree and all(map(judge, claims)):
        alone = mine.called(f"this method, alone against {' and '.join(peer.says for peer in peers)},")
        return [Claim.equal(alone, peer) for peer in peers]
    return claims
