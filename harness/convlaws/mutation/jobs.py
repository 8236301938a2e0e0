"""Chores: the units of work for the table of mutants; each yields records, and they can run in any order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from convlaws.laws.registry import laws
from convlaws.mutants.registry import Mutant, all_mutants
from convlaws.mutation import opinfo, uniform
from convlaws.mutation.baseline import ask
from convlaws.mutation.hunt import hunt
from convlaws.mutation.kills import kills
from convlaws.records.finding import digest
from convlaws.sandbox.runner import Runner
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.targets.registry import get, rows

Record = dict
SOLITARY = ("memory", "process")  # defects that may affect other methods in the same process
GROUP = 12  # mutants that share the draws of the table of laws
COMPARED = 6  # the baselines get every sixth mutant: each that they miss takes its full time, and all would take over an hour
RIGHT = "im2col"  # the method whose answer a mutant gives where its triggers do not hold
BASELINES = {"uniform": uniform.questions, "opinfo": opinfo.questions}


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """Search times in seconds: for one mutant by its difficulty, for all laws on one mutant, for one right method."""

    easy: float = 20.0
    medium: float = 20.0
    hard: float = 60.0
    laws: float = 3.0
    healthy: float = 5.0
    seeds: int = 3


QUICK = Budgets(easy=8.0, medium=8.0, hard=8.0, laws=1.5, healthy=3.0, seeds=1)


@dataclass(frozen=True)
class Chore:
    """One unit of work: its kind (a key of DOING), the methods, the number of seeds, and the seconds for each."""

    kind: str
    names: tuple[str, ...]
    seeds: int
    seconds: float
    state: str = ""  # digest of the mutants' definitions: if one is changed, the chore is done again

    @property
    def key(self) -> str:
        """The key that identifies the chore."""
        return json.dumps([self.kind, self.names, self.seeds, self.seconds, self.state])

    def do(self, runner: Runner) -> list[Record]:
        """Run the chore; return its records."""
        return [{"kind": self.kind, "seed": 0, "budget": self.seconds, **record} for record in DOING[self.kind](self, runner)]


def _quest(chore: Chore, runner: Runner) -> Iterator[Record]:
    """One record per seed; the first failure is shrunk."""
    name, shrunk = chore.names[0], False
    for seed in range(chore.seeds):
        quest = hunt(get(f"mutant-{name}"), runner, seed, chore.seconds, shrinks=not shrunk)
        shrunk = shrunk or quest.found
        yield {"mutant": name, "seed": seed, **asdict(quest)}


def _kills(chore: Chore, runner: Runner) -> Iterator[Record]:
    killed = kills([get(f"mutant-{name}") for name in chore.names], runner, 0, chore.seconds)
    for name in chore.names:
        yield {"mutant": name, "laws": {law: line for (method, law), line in killed.items() if method == f"mutant-{name}"}}


def _baseline(chore: Chore, runner: Runner) -> Iterator[Record]:
    """One record per seed."""
    name = chore.names[0]
    method, questions = get(f"mutant-{name}"), BASELINES[chore.kind]
    for seed in range(chore.seeds):
        asked = ask(method, questions(method, seed), runner, chore.seconds, right=get(RIGHT))
        yield {"mutant": name, "seed": seed, **asdict(asked)}


def _healthy(chore: Chore, runner: Runner) -> Iterator[Record]:
    """Alarms on a right method: of the laws, and of each available baseline."""
    method = get(chore.names[0])
    runner.refresh()
    search = Search(Plan([method], laws(), seed=0, budget=chore.seconds), runner)
    alarms = [f for f in search.run() if f.verdict.bad]
    lines = [f"{f.law}: {f.problem}" for f in alarms]
    yield {
        "method": method.name,
        "judge": "laws",
        "examples": search.judged,
        "alarms": sum(f.failed for f in alarms),
        "lines": lines,
    }
    for judge, questions in baselines().items():
        asked = ask(method, questions(method, 0), runner, chore.seconds)
        yield {"method": method.name, "judge": judge, "examples": asked.examples, "alarms": asked.alarms, "lines": []}


DOING: dict[str, Callable[[Chore, Runner], Iterator[Record]]] = {
    "quest": _quest,
    "kills": _kills,
    "uniform": _baseline,
    "opinfo": _baseline,
    "healthy": _healthy,
}


def baselines() -> dict[str, Callable]:
    """The baselines that are available here."""
    return {name: ask for name, ask in BASELINES.items() if name != "opinfo" or not opinfo.absent()}


def state_of(mistake: Mutant) -> str:
    """Digest of a mutant's definition."""
    return digest(json.dumps(asdict(mistake), sort_keys=True))


def chores(chosen: list[Mutant], budgets: Budgets, *, compared: bool) -> list[Chore]:
    """All chores, the longest first; with `compared`, also those for the baselines and the right methods."""
    law_chores = [_group(some, budgets) for some in _groups(chosen)]
    for mistake in chosen:
        seconds, state = getattr(budgets, mistake.difficulty), state_of(mistake)
        law_chores.append(Chore("quest", (mistake.name,), budgets.seeds, seconds, state))
    return law_chores + (_compared(chosen, budgets) if compared else [])


def _compared(chosen: list[Mutant], budgets: Budgets) -> list[Chore]:
    """The baselines on a sample of the mutants that are not clones, and the chores for all right methods."""
    right = [Chore("healthy", (row.name,), 1, budgets.healthy) for row in rows("healthy", "method") if not row.absent]
    sample = [m for m in chosen if not m.like][::COMPARED]
    return right + [
        Chore(name, (m.name,), 1, getattr(budgets, m.difficulty), state_of(m)) for m in sample for name in baselines()
    ]


def _group(some: list[Mutant], budgets: Budgets) -> Chore:
    state = digest(" ".join(map(state_of, some)))
    return Chore("kills", tuple(m.name for m in some), 1, budgets.laws * len(some), state)


def _groups(chosen: list[Mutant]) -> list[list[Mutant]]:
    """Groups of mutants that share a search; those that may affect others are alone in theirs."""
    social = [m for m in chosen if m.defect not in SOLITARY]
    together = [social[start : start + GROUP] for start in range(0, len(social), GROUP)]
    return together + [[m] for m in chosen if m.defect in SOLITARY]


def everybody() -> list[Mutant]:
    """All registered mutants."""
    rows("mutant")
    return all_mutants()
