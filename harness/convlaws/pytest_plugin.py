"""The pytest plugin: options, the seed in the header, and the decorator `law_table`.

pytest loads this at start-up for everybody who has convlaws installed, so it
imports pytest and the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

_running: list[pytest.Config] = []  # the innermost last: pytester runs one within another


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --convlaws-examples, --convlaws-seed and --convlaws-no-sandbox."""
    group = parser.getgroup("convlaws")
    group.addoption("--convlaws-examples", type=int, default=None, metavar="N", help="judged examples a law and op")
    group.addoption("--convlaws-seed", type=int, default=0, metavar="N", help="every draw of a law table derives from it")
    group.addoption("--convlaws-no-sandbox", action="store_true", help="run the code under test in pytest's process")


def pytest_configure(config: pytest.Config) -> None:
    """Let law tables see the options."""
    _running.append(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget them."""
    if config in _running:
        _running.remove(config)


def pytest_report_header(config: pytest.Config) -> str:
    """The seed, so that a run can be repeated."""
    return f"convlaws: --convlaws-seed={config.getoption('--convlaws-seed')}"


def law_table(target: Any, *, known: Iterable[Any] = (), laws: Iterable[str] = ("*",), **options: Any) -> Callable:
    """Parametrize a test with one case a law on `target`; the test calls `case.check()`.

    A known failure (`convlaws.Known`) is run on its own line only: there it must fail, by breaking
    the law and by nothing else (strict xfail), so that its repair is noticed.

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
    """The fields of a case that the options of this run set: directly, as a fixture would claim a name in every suite."""
    if not _running:
        return {}
    option = _running[-1].getoption
    chosen: dict[str, Any] = {"seed": option("--convlaws-seed")}
    if option("--convlaws-examples"):
        chosen["examples"] = option("--convlaws-examples")
    if option("--convlaws-no-sandbox"):
        chosen["sandbox"] = False
    return chosen
