"""Drawing: each problem of a block is judged; Hypothesis replays one where it is to be made small, or observed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
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
from convlaws.search.observations import observed, watched
from convlaws.strategies import problems
from convlaws.strategies.blocks import Drawn

_CONSTANTS: LRUCache = LRUCache(1024)


class _RefusedError(BaseException):
    """Carries a refusal of ours out of Hypothesis, which would take an Exception for a failing test and repeat it."""

    def __init__(self, error: HarnessError):
        super().__init__(str(error))
        self.error = error


def quiet(*phases: Phase) -> settings:
    """Settings of a run of ours: no deadline, no output, no draws by chance."""
    return settings(
        max_examples=1,
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


class _OneExample(ExampleDatabase):
    """A database that holds the choices of one draw, with which Hypothesis begins; it keeps nothing."""

    def __init__(self, choices: Sequence[int]):
        # nothing reads the last 0: an example that repeats exactly is taken for small already, and not shrunk
        self._left = [choices_to_bytes([*choices, 0])]

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """The example, once: the first key that Hypothesis asks for is that of earlier failures."""
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


def _first(scope: Scope, test: Callable[[Problem], bool], config: settings) -> Problem | None:
    """As Hypothesis' `find`, which takes the database away from whoever gives it a seed."""
    found: list[Problem] = []

    @config
    @hypothesis.seed(0)
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


def judge_each(block: Iterable[Drawn], judge: Callable[[Drawn], None], job: str) -> None:
    """Judge each problem of a block; where the run is observed, Hypothesis replays each and records it under `job`."""
    for drawn in block:
        if observed():
            replay(drawn, partial(_judged, judge, drawn), job, Phase.reuse)
        else:
            judge(drawn)


def _judged(judge: Callable[[Drawn], None], drawn: Drawn, problem: Problem) -> bool:
    judge(drawn)
    return False


def smallest(drawn: Drawn, fails: Callable[[Problem], bool], job: str) -> Problem | None:
    """The smallest problem that Hypothesis finds on its way from `drawn` that `fails`; None if that does not."""
    return replay(drawn, fails, job, Phase.reuse, Phase.shrink)


def replay(drawn: Drawn, test: Callable[[Problem], bool], job: str, *phases: Phase) -> Problem | None:
    """Have Hypothesis draw a problem again as it was drawn; `job` is what this is for, in observations."""
    test = watched(job, test)

    def guarded(problem: Problem) -> bool:
        try:
            return test(problem)
        except HarnessError as error:
            raise _RefusedError(error) from error

    # Hypothesis draws the numbers that it finds in sources outside of site-packages, and keeps them under ./.hypothesis:
    # a failure would shrink otherwise wherever convlaws is installed otherwise, or more is imported; what it has worked out
    # for other tests in this process holds those numbers too
    config = settings(quiet(*phases), database=_OneExample(drawn.choices))
    try:
        with patch.multiple(providers, create=True, _get_local_constants=Constants, CONSTANTS_CACHE=_CONSTANTS):
            return _first(drawn.scope, guarded, config)
    except _RefusedError as stop:
        raise stop.error from None
