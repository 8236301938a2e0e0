"""Hypothesis, as a source of problems: runs that never fail, and that shrink on request."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from random import Random
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis.errors import NoSuchExample
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import SearchStrategy

from convlaws.errors import HarnessError, UsageError
from convlaws.observations import watched
from convlaws.problem import Problem
from convlaws.scope import Scope
from convlaws.strategies import problems


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


@lru_cache(maxsize=4096)
def possible(scope: Scope) -> bool:
    """Whether any problem lies in `scope`."""
    try:
        strategy(scope)
    except UsageError:
        return False
    return True


def draw(scope: Scope, test: Callable[[Problem], bool], seed: int, config: settings, job: str = "") -> Problem | None:
    """The first problem that `test` accepts, shrunk if `config` has that phase; None if there is none.

    `job` is what this drawing is for, in observations.
    """
    test = watched(job, test)

    def guarded(problem: Problem) -> bool:
        try:
            return test(problem)
        except HarnessError as error:
            raise _RefusedError(error) from error

    # Hypothesis draws the numbers that it finds in sources outside of site-packages, and keeps them under ./.hypothesis:
    # a seed would mean something else wherever convlaws is installed otherwise, or more is imported
    no_sources = patch.object(providers, "_get_local_constants", Constants, create=True)
    try:
        with no_sources:
            return find(strategy(scope), guarded, random=Random(seed), settings=config)
    except NoSuchExample:
        return None
    except _RefusedError as stop:
        raise stop.error from None
