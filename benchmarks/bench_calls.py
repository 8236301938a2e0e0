"""asv benchmarks of one call of a (problem, method): seconds, peak bytes, and the worst error over its slack.

Each class is one catalogue. Every method is measured on the lines that it supports; the others are skipped with the reason.
"""

from __future__ import annotations

from typing import Any, ClassVar

from convlaws.targets.registry import rows

from . import problems
from .once import calls_a_sample, once
from .peak import peak_bytes
from .verified import Verified, row_of

METHODS = tuple(row.name for row in rows())


class _Verified:
    """Base class that judges every timed answer against the oracle; a later one with the bits of the first counts as judged."""

    version = "1"
    timeout = 120
    param_names = ("problem", "method")
    of: ClassVar[dict[str, Any]]

    @once
    def setup(self, problem, method):
        self.verified = Verified(self.of[problem], row_of(method))
        self.verified.call()
        self.verified.verify()
        self.number = calls_a_sample(self.verified.call)

    def teardown(self, problem, method):
        if hasattr(self, "verified"):  # otherwise the method refused the problem
            self.verified.verify()


class _Timed(_Verified):
    def time_call(self, problem, method):
        self.verified.call()


class _Sized(_Verified):
    def track_peak_bytes(self, problem, method):
        return peak_bytes(self.verified.call)

    track_peak_bytes.unit = "bytes"

    def track_worst_error(self, problem, method):
        return self.verified.worst()

    track_worst_error.unit = "error/slack"


def _over(found: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Return the parameters of a class as names, since asv stores a result under the printed parameters."""
    return tuple(found), METHODS


class Quick(_Timed):
    """Seconds of the calls that `make bench` runs, together with `QuickSizes`."""

    of, params = problems.QUICK, _over(problems.QUICK)


class QuickSizes(_Sized):
    """Memory and accuracy on the larger of the two problems."""

    of, params = problems.QUICK, (("layer",), METHODS)


class Kinds(_Timed, _Sized):
    """One layer with one property varied at a time: op, dtype, layout, number of axes."""

    of, params = problems.KINDS, _over(problems.KINDS)


class Layers(_Timed, _Sized):
    """Layers of real networks."""

    of, params = problems.CHOSEN, _over(problems.CHOSEN)


class Sweeps(_Timed, _Sized):
    """One size varied, for growth curves."""

    of, params = problems.SWEEPS, _over(problems.SWEEPS)


class Tails(_Timed, _Sized):
    """Sizes next to multiples of the width of a vector register."""

    of, params = problems.TAILS, _over(problems.TAILS)
