"""The published records of mutation testing: one row per mutant, one per law."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from statistics import median_high
from typing import Any

from convlaws.errors import SchemaError, UsageError

SCHEMA = 1
DIFFICULTIES = ("easy", "medium", "hard")
JUDGES = {"quest": "convlaws", "uniform": "uniform random", "opinfo": "PyTorch's samples"}


@dataclass(frozen=True)
class Runs:
    """The runs of one judge on one mutant, one record per seed; found means in most of the planned seeds."""

    records: list[dict]
    seeds: int

    def _median(self, name: str) -> float:
        """Return the median over seeds; not found, or skipped because the median was settled, counts as infinite."""
        values = [r[name] if r["found"] else inf for r in self.records]
        return median_high(values + [inf] * (self.seeds - len(values))) if self.seeds else inf

    @property
    def found(self) -> bool:
        """True if most seeds found it."""
        return self.seconds < inf

    @property
    def times(self) -> str:
        """Return the number of seeds that found it, such as 2/3."""
        return f"{sum(r['found'] for r in self.records)}/{self.seeds}"

    @property
    def seconds(self) -> float:
        """The median seconds over seeds."""
        return self._median("seconds")

    @property
    def examples(self) -> float:
        """The median number of examples over seeds."""
        return self._median("examples")


@dataclass(frozen=True)
class Seen:
    """A mutant: its description, the laws that kill it, the runs of each judge; `shown` is the quest whose line was shrunk."""

    about: dict
    laws: list[str]
    runs: dict[str, Runs]
    specific: str
    shown: dict = field(default_factory=dict)
    sharpest: str = ""  # the most specific law that the shrunk line itself breaks

    @property
    def name(self) -> str:
        """The mutant's name, without 'mutant-'."""
        return self.about["mutant"]

    @property
    def ended(self) -> str:
        """How its process ended, such as 'crashed (SIGSEGV)', which any law detects; '' if a law is broken."""
        verdict = self.shown.get("verdict", "")
        return f"{verdict} ({self.shown['signature']})" if verdict not in ("", "broken") else ""

    @property
    def found(self) -> bool:
        """True if the laws found it in most seeds."""
        return "quest" in self.runs and self.runs["quest"].found


@dataclass(frozen=True)
class Sight:
    """All records of a file, joined."""

    run: dict
    mutants: list[Seen]
    laws: list[dict]
    healthy: list[dict]

    @property
    def guilty(self) -> list[Seen]:
        """The mutants that are wrong for some problem."""
        return [m for m in self.mutants if not m.about["innocent"]]

    @property
    def counted(self) -> list[Seen]:
        """The guilty mutants without clones, so that each defect counts once."""
        return [m for m in self.guilty if not m.about["like"]]

    @property
    def survivors(self) -> list[Seen]:
        """The guilty mutants that are not found."""
        return [m for m in self.guilty if not m.found]

    @property
    def kills(self) -> Counter[str]:
        """The number of mutants that each law kills."""
        return Counter(law for m in self.counted for law in m.laws)

    @property
    def blind(self) -> list[str]:
        """The laws that kill no mutant."""
        return [law["law"] for law in self.laws if not any(law["law"] in m.laws for m in self.guilty)]

    def complaints(self) -> list[str]:
        """Return the unexpected results, in sentences."""
        lost = [m for m in self.survivors if m.about["difficulty"] != "hard"]
        said = [f"{m.name} ({m.about['difficulty']}) is not found" for m in lost]
        said += [f"{m.name} is right, and {m.runs['quest'].times} seeds found it" for m in self.mutants if _wronged(m)]
        said += [f"{r['method']} is right, and there are {r['alarms']} alarms" for r in self.healthy if _false(r)]
        return said + [f"{law} kills nothing" for law in self.blind]


def _wronged(m: Seen) -> bool:
    return bool(m.about["innocent"]) and any(r["found"] for r in m.runs["quest"].records)


def _false(record: dict) -> bool:
    return record["judge"] == "laws" and record["alarms"] > 0


def joined(records: Iterable[dict]) -> Sight:
    """Join these records into rows."""
    kinds: dict[str, list[dict]] = {}
    for record in records:
        kinds.setdefault(record["kind"], []).append(record)
    run, rank = kinds["sight"][0], {law["law"]: law["specific"] for law in kinds["law"]}
    by: dict[tuple[str, str], list[dict]] = {}
    for kind in ("kills", *JUDGES):
        for record in kinds.get(kind, []):
            by.setdefault((kind, record["mutant"]), []).append(record)
    seen = [_seen(about, partial(_of_mutant, by, about["mutant"]), rank, run) for about in kinds["mutant"]]
    return Sight(run, seen, kinds["law"], kinds.get("healthy", []))


def _of_mutant(by: Mapping[tuple[str, str], list[dict]], mutant: str, kind: str) -> list[dict]:
    return by.get((kind, mutant), [])


def _seen(about: dict, records: Callable[[str], list[dict]], rank: dict[str, int], run: dict) -> Seen:
    quests = records("quest")
    laws = {law for r in records("kills") for law in r["laws"]} | {law for r in quests for law in (r["law"], *r["breaks"]) if law}
    runs = {kind: Runs(some, run["budgets"]["seeds"] if kind == "quest" else 1) for kind in JUDGES if (some := records(kind))}
    shown: dict[str, Any] = next((r for r in quests if r["line"]), {})
    return Seen(
        about, sorted(laws), runs, _sharpest(laws, rank), shown, _sharpest(shown.get("breaks") or {shown.get("law")}, rank)
    )


def _sharpest(laws: Iterable[str | None], rank: dict[str, int]) -> str:
    """Return the most specific law; of several, the one registered last, as the definition is registered first."""
    order = list(rank)
    return max((w for w in laws if w in rank), key=lambda w: (rank[w], order.index(w)), default="")


def read_sight(path: Path) -> Sight:
    """Read the rows of a published file.

    Raises:
        UsageError: it cannot be read. SchemaError: it is not such a file.
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if rows[0]["schema"] != SCHEMA:
            raise SchemaError(f"{path} has schema {rows[0]['schema']!r}, this reads {SCHEMA}")
        return joined(rows)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise SchemaError(f"{path} is no file of mutants: {type(error).__name__}: {error}") from None
