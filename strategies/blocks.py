"""Blocks of problems, drawn from the tables of the Hypothesis strategy without running Hypothesis.

A search draws thousands of problems; a block costs a tenth of what Hypothesis takes for them. Each problem comes with
the choices with which Hypothesis draws it, so it is shrunk and replayed as any other example of the strategy is.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.strategies.hints import Hint
from convlaws.strategies.mixture import hints
from convlaws.strategies.specs import MAX_MACS, plan

# The version of what a seed means: raised when the same seed draws other problems. 1: drawn by Hypothesis (to November 2026)
DRAW = 2


class Drawn(NamedTuple):
    """A problem, the scope that it was drawn from, and the choices with which Hypothesis draws it from that scope."""

    problem: Problem
    scope: Scope
    choices: tuple[int, ...]


def block(scope: Scope, seed: int, count: int, place: float = 0.0) -> Iterator[Drawn]:
    """Yield `count` problems within `scope`: the mixture of hints first, the simplest of them before the others, then chance.

    `place` in [0, 1) is the start in each list of hints; the same arguments draw the same problems.

    Raises:
        UsageError: the scope admits nothing; the message has the reason.
    """
    random = Random(seed)
    wished = [follow(scope, hint, random) for hint in hints(scope, place, count, random)]
    yield from sorted(wished, key=lambda drawn: (len(drawn.choices), drawn.choices))
    yield from chance(scope, random, count - len(wished))


def chance(scope: Scope, random: Random, count: int) -> Iterator[Drawn]:
    """Yield `count` problems within `scope`, each entry of each table as likely as its weight says.

    Raises:
        UsageError: the scope admits nothing; the message has the reason.
    """
    for _ in range(count):
        yield follow(scope, {}, random)


def follow(scope: Scope, hint: Hint, random: Random) -> Drawn:
    """Return a problem that follows `hint` as far as the scope allows; the rest is chance.

    Raises:
        UsageError: the scope admits nothing; the message has the reason.
    """
    problem, choices = plan(scope, MAX_MACS).guided(hint, random)
    return Drawn(problem, scope, tuple(choices))
