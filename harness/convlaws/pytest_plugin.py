"""The pytest plugin: options, the seed in the header, and the decorator `law_table`.

pytest loads this at start-up for everyone who has convlaws installed, so it
imports pytest and the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

_running: list[pytest.Config] = []  # the innermost last: pytester runs one pytest within another


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --convlaws-examples, --convlaws-seed and --convlaws-no-sandbox."""
    group = parser.getgroup("convlaws")
    group.addoption("--convlaws-examples", type=int, default=None, metavar="N", help="judged examples a law and op")
    group.addoption("--convlaws-seed", type=int, default=0, metavar="N", help="every draw of a law table derives from it")
    group.addoption("--convlaws-no-sandbox", action="store_true", help="run the code under test in pytest's process")


def pytest_configure(config: pytest.Config) -> None:
    """Make the options available to law tables."""
    _running.append(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the options of this run."""
    if config in _running:
        _running.remove(config)


def pytest_report_header(config: pytest.Config) -> str:
    """Return the seed, so that a run can be repeated."""
    return f"convlaws: --convlaws-seed={config.getoption('--convlaws-seed')}"


def law_table(target: Any, *, known: Iterable[Any] = (), laws: Iterable[str] = ("*",), **options: Any) -> Callable:
    """Parametrize a test with one case per law on `target`; the test calls `case.check()`.

    A known failure (`convlaws.Known`) is run on its own line only, where it must fail by breaking
    the law and in no other way (strict xfail), so that a fix is noticed.

    Raises:
        UnknownName: at collection, for a known failure that names no law.
    """
    from convlaws.api import cases
    from convlaws.errors import LawBroken

    def param(case):
        case = replace(case, **_chosen())
        if case.known is None:
            return pytest.param(case, id=case.law)
        mark = pytest.mark.xfail(raises=LawBroken, strict=True, reason=case.known.thread)
        return pytest.param(case, id=f"{case.law}-known-{case.known.thread}", marks=mark)

    return pytest.mark.parametrize("case", [param(c) for c in cases(target, known, laws, **options)])


def _chosen() -> dict[str, Any]:
    """Return the fields of a case that this run's options set; not by a fixture, which would claim a name in every test suite."""
    if not _running:
        return {}
    option = _running[-1].getoption
    chosen: dict[str, Any] = {"seed": option("--convlaws-seed")}
    if option("--convlaws-examples"):
        chosen["examples"] = option("--convlaws-examples")
    if option("--convlaws-no-sandbox"):
        chosen["sandbox"] = False
    return chosen
