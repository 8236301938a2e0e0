"""`convlaws.check` and `convlaws.law_table`: check the laws on a function, from a script, a notebook or a test."""

from __future__ import annotations

import ast
import atexit
import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from convlaws import known
from convlaws.errors import LawBroken, UnknownName, UsageError
from convlaws.judge.case import Runner
from convlaws.judge.replay import finding_of, repeated
from convlaws.laws import registry as laws
from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE, Scope
from convlaws.records.finding import LEAST, Finding, Verdict
from convlaws.reports import console
from convlaws.sandbox.settings import Setting, running
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.targets.inspection import note
from convlaws.targets.loading import LOCAL, reject_while_loading
from convlaws.targets.registry import Method
from convlaws.targets.resolve import Calling, resolve

Target = str | Callable[..., Any]


def address_of(function: Callable[..., Any]) -> tuple[str, bool]:
    """Return (address, True if a fresh process can find the function there).

    A closure, a lambda, or a function typed into a notebook exists in this process only: it is
    stored under the name `local:...` and can be run only without the sandbox.
    """
    name, source = getattr(function, "__qualname__", ""), None
    with suppress(TypeError):  # a builtin has no source
        source = inspect.getsourcefile(inspect.unwrap(function))
    module = inspect.getmodule(function)
    at_top = "<" not in name and name and getattr(module, name.split(".")[0], None) is not None
    if module and at_top and source and Path(source).is_file() and not _guarded(module.__name__, source, name):
        importable = module.__spec__ is not None and module.__name__ != "__main__" and "." in module.__name__
        return (f"{module.__name__}:{name}" if importable else f"{Path(source).resolve()}:{name}"), True
    key = f"{(name or 'function').rpartition('.')[2].strip('<>') or 'function'}_{len(LOCAL)}"
    LOCAL[key] = function
    return f"local:{key}", False


def _guarded(module: str, source: str, name: str) -> bool:
    """True if a script defines the function only when it is run, not when it is imported."""
    if module != "__main__":
        return False
    tree = ast.parse(Path(source).read_bytes())
    return name.partition(".")[0] not in {getattr(node, "name", "") for node in tree.body}


def subjects(targets: Target | Iterable[Target], calling: Calling) -> tuple[list[Method], bool]:
    """Return the methods that `targets` name, and whether a sandbox can run all of them."""
    listed = [targets] if isinstance(targets, str) or callable(targets) else list(targets)
    placed = [(t, True) if isinstance(t, str) else address_of(t) for t in listed]
    for target, (address, _) in zip(listed, placed, strict=True):
        if callable(target):
            note(address, target)
    return resolve([address for address, _ in placed], calling), all(crosses for _, crosses in placed)


def check(
    targets: Target | Iterable[Target],
    *,
    signature: str = "",
    arrays: str = "",
    contract: str = "",
    laws: Iterable[str] = ("*",),
    scope: Scope | None = None,
    examples: int = LEAST,
    budget: float | None = None,
    seed: int = 0,
    sandbox: bool = True,
) -> list[Finding]:
    """Check the laws on a function of yours, or on registered names, and return the findings.

    A function of a module or file runs in the sandbox. A closure, a lambda or a notebook
    cell's function cannot be sent to a fresh process: it is run in this one, where a crash ends
    the session; the findings then say "in this process" in their messages.

    Args:
        targets: a callable with the signature of torch.nn.functional.conv2d, or names as on the command line.
        signature, arrays: how a callable is called; '' means as it declares (see `declares`), else 'conv2d' and 'torch'.
        examples: judged examples per (method, law, op); with a budget in seconds, more until it is spent.

    >>> found = check("im2col", laws=["zero-input-gives-the-bias"], examples=20, sandbox=False)
    >>> {str(f.verdict) for f in found}
    {'kept'}
    """
    reject_while_loading()
    calling = Calling(signature=signature, arrays=arrays, contract=contract)
    methods, crosses = subjects(targets, calling)
    plan = Plan(methods, _laws(laws), scope or WHOLE, seed, budget, examples)
    with running(Setting(sandbox=sandbox and crosses)) as runner:
        found = Search(plan, runner, known.load()).run()
    if sandbox and not crosses:
        for finding in found:
            finding.message = f"{finding.message}\n  ran in this process: it cannot cross into a fresh one".strip()
    return found


def _laws(patterns: Iterable[str]) -> list:
    return laws.find(patterns)


@dataclass(frozen=True)
class Known:
    """A known failure of your function: the law, where it is documented, and the line that shows it."""

    law: str
    thread: str
    problem: Problem | str

    @property
    def line(self) -> Problem:
        """The problem of the line."""
        return Problem.parse(self.problem) if isinstance(self.problem, str) else self.problem


@lru_cache(maxsize=2)
def _shared(sandbox: bool) -> Runner:
    """Return one runner for all rows of a table: a new one would import torch again, which takes seconds."""
    runner = Setting(sandbox=sandbox).runner()
    atexit.register(runner.close)
    return runner


@dataclass(frozen=True)
class Case:
    """One row of a law table: a law, or a known failure on its own line."""

    target: Target
    law: str
    calling: Calling
    examples: int = LEAST
    seed: int = 0
    sandbox: bool = True
    scope: Scope = WHOLE
    known: Known | None = None
    excused: tuple[Known, ...] = ()

    def check(self) -> list[Finding]:
        """Judge the case and return its findings.

        Raises:
            LawBroken: the law does not hold; the message ends with the line to repeat.
        """
        found = self._on_its_line() if self.known else self._searched()
        if bad := [f for f in found if f.verdict.bad]:
            raise LawBroken("\n\n".join(console.failure(f) for f in bad))
        return found

    def _method(self) -> tuple[Method, bool]:
        methods, crosses = subjects(self.target, self.calling)
        if len(methods) != 1:
            raise UsageError(f"a law table is about one target, {self.target!r} names {len(methods)}")
        return methods[0], crosses

    def _searched(self) -> list[Finding]:
        method, crosses = self._method()
        ledger = known.Ledger(
            [known.Known(id=k.thread, methods=("*",), laws=(k.law,), lines=(str(k.line),)) for k in self.excused]
        )
        plan = Plan([method], _laws([self.law]), self.scope, self.seed, None, self.examples)
        search = Search(plan, _shared(self.sandbox and crosses), ledger)
        found = search.run()
        if search.interrupt.requested:  # the search treated the interrupt as its own end; it is meant for the whole test run
            raise KeyboardInterrupt
        return [f for f in found if not f.known]

    def _on_its_line(self) -> list[Finding]:
        assert self.known is not None
        method, crosses = self._method()
        line, chosen = self.known.line, _laws([self.known.law])
        runner = _shared(self.sandbox and crosses)
        return [finding_of(method, w, line, o) for w, o in repeated(method, chosen, [line], runner)]


def cases(target: Target, known_failures: Iterable[Known] = (), patterns: Iterable[str] = ("*",), **options: Any) -> list[Case]:
    """Return the rows of the table for `target`: one per law, then one per known failure.

    Raises:
        UnknownName: a known failure names a law that does not exist, so it would excuse nothing.
    """
    failures = tuple(known_failures)
    names = {law.name for law in laws.laws()}
    for failure in failures:
        if failure.law not in names:
            raise UnknownName(
                f"known failure {failure.thread!r} names the law {failure.law!r}; there are {', '.join(sorted(names))}"
            )
    calling = Calling(**{k: options.pop(k) for k in ("signature", "arrays", "contract") if k in options})
    plain = [
        Case(target, w.name, calling, excused=tuple(f for f in failures if f.law == w.name), **options)
        for w in laws.find(patterns)
    ]
    return plain + [replace(plain[0], law=f.law, known=f, excused=()) for f in failures]


def kept(findings: Iterable[Finding]) -> bool:
    """True if nothing failed and at least one law was verified."""
    found = list(findings)
    return not any(f.verdict.bad for f in found) and any(f.verdict is Verdict.KEPT for f in found)
