"""Hypothesis, as a source of problems: runs that never fail, and that shrink on request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from random import Random
from unittest.mock import patch

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.database import ExampleDatabase, choices_to_bytes
from hypothesis.errors import Found
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import SearchStrategy

from convlaws.errors import HarnessError, UsageError
from convlaws.problem.problem import Problem
from convlaws.problem.scope import Scope
from convlaws.search.observations import watched
from convlaws.strategies import problems
from convlaws.strategies.hints import Hint
from convlaws.strategies.specs import MAX_MACS, plan

_CONSTANTS: LRUCache = LRUCache(1024)
DRAWING = (Phase.reuse, Phase.generate)  # what is wished for, then what chance brings


class _RefusedError(BaseException):
    """Carries a refusal of ours out of Hypothesis, which would take an Exception for a failing test and repeat it."""

    def __init__(self, error: HarnessError):
        super().__init__(str(error))
        self.error = error


def quiet(count: int, *phases: Phase) -> settings:
    """Settings of a run of ours: no database, no deadline, no output."""
    return settings(
        max_examples=count,
        database=None,
        report_multiple_bugs=False,
        deadline=None,
        derandomize=False,
        phases=phases,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )


@lru_cache(maxsize=4096)
def strategy(scope: Scope) -> SearchStrategy[Problem]:
    """The problems of a scope; built once."""
    return problems(scope)


class _Wished(ExampleDatabase):
    """What is wished for, as a database that Hypothesis begins with; it keeps nothing."""

    def __init__(self, scope: Scope, hints: Iterable[Hint], seed: int):
        drawn, random = plan(scope, MAX_MACS), Random(seed)
        # nothing reads the last 0: what repeats exactly is taken for small already, and not shrunk
        self._left = [choices_to_bytes([*drawn.choices_for(hint, random), 0]) for hint in hints]

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """All of them, once: the first key that Hypothesis asks for is that of earlier failures."""
        found, self._left = self._left, []
        return found

    def save(self, key: bytes, value: bytes) -> None:
        """Nothing."""

    def delete(self, key: bytes, value: bytes) -> None:
        """Nothing."""


@lru_cache(maxsize=4096)
def possible(scope: Scope) -> bool:
    """Whether any problem lies in `scope`."""
    try:
        strategy(scope)
    except UsageError:
        return False
    return True


def _first(scope: Scope, test: Callable[[Problem], bool], random: Random, config: settings) -> Problem | None:
    """As Hypothesis' `find`, which takes the database away from whoever gives it a seed."""
    found: list[Problem] = []

    @config
    @hypothesis.seed(random.getrandbits(64))
    @given(strategy(scope))
    def looks(problem: Problem) -> None:
        if test(problem):
            found[:] = [problem]
            raise Found

    try:
        looks()
    except Found:
        return found[0]
    return None


def draw(
    scope: Scope,
    test: Callable[[Problem], bool],
    seed: int,
    config: settings,
    job: str = "",
    *,
    hints: Iterable[Hint] = (),
) -> Problem | None:
    """The first problem that `test` accepts, shrunk if `config` has that phase; None if there is none.

    The draws begin with those that grant the wishes: they are replayed to Hypothesis as if it had kept them from
    an earlier run. `job` is what this drawing is for, in observations.
    """
    test = watched(job, test)

    def guarded(problem: Problem) -> bool:
        try:
            return test(problem)
        except HarnessError as error:
            raise _RefusedError(error) from error

    # Hypothesis draws the numbers that it finds in sources outside of site-packages, and keeps them under ./.hypothesis:
    # a seed would mean something else wherever convlaws is installed otherwise, or more is imported; what it has worked out for
    # other tests in this process holds those numbers too
    try:
        with patch.multiple(providers, create=True, _get_local_constants=Constants, CONSTANTS_CACHE=_CONSTANTS):
            return _first(scope, guarded, Random(seed), settings(config, database=_Wished(scope, hints, seed)))
    except _RefusedError as stop:
        raise stop.error from None
