"""CampaignPlan: all settings of a campaign, as a value that can be printed, stored and read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from convlaws.errors import UsageError
from convlaws.laws import registry as laws
from convlaws.problem.scope import WHOLE
from convlaws.records.finding import SCHEMA, digest
from convlaws.sandbox.settings import Setting
from convlaws.search.plan import Plan
from convlaws.targets.registry import Method
from convlaws.targets.resolve import Calling, resolve

NAME = "plan.json"
OUTSIDE = ("budget", "part")  # fields that may differ between campaigns that judge parts of the same work


@dataclass(frozen=True, kw_only=True)
class CampaignPlan:
    """Everything that the results of a campaign depend on, and its time budget.

    `methods` and `laws` are names, `narrowed` the fields of the scope that are narrowed, `calling` how a user's function is
    called. With `examples` each (method, law, op) gets that many; without, the budget is spent where it finds most. `changed` are
    the methods whose engine version differs from an earlier campaign's, `suspects` the (law, method) that failed there, and
    `kept` the failing lines that are judged first. `part` is (i, n): this is the i-th, counted from 1, of n that share the work.
    `versions` are those of the packages: a campaign cannot be resumed with others.
    """

    methods: tuple[str, ...]
    laws: tuple[str, ...]
    narrowed: Mapping[str, Any]
    calling: Mapping[str, Any]
    seed: int
    examples: int | None
    budget: float | None
    part: tuple[int, int]
    sandbox: bool
    time_limit: float
    memory_limit: int
    threads: int
    versions: Mapping[str, str]
    changed: tuple[str, ...] = ()
    suspects: tuple[tuple[str, str], ...] = ()
    kept: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    @property
    def id(self) -> str:
        """Digest (twelve hex digits) of what is judged; all parts of one campaign have the same."""
        told = {name: value for name, value in asdict(self).items() if name not in OUTSIDE}
        return digest(json.dumps(told, sort_keys=True))

    @property
    def run(self) -> str:
        """The id of the run: a digest of the campaign's id and its part."""
        return self.id if self.part == (1, 1) else digest(f"{self.id} {self.part}")

    @property
    def setting(self) -> Setting:
        """The setting that methods are run with: sandbox, time limit, memory limit."""
        return Setting(sandbox=self.sandbox, time_limit=self.time_limit, memory_limit=self.memory_limit)

    def resolved(self) -> list[Method]:
        """The methods as objects."""
        return resolve(self.methods, Calling(**self.calling))

    def search(self, methods: list[Method] | None = None) -> Plan:
        """The `Plan` that `check` would use, for all methods or for the given ones."""
        some = self.resolved() if methods is None else methods
        narrowed: dict[str, Any] = {name: tuple(values) for name, values in self.narrowed.items()}
        scope = replace(WHOLE, **narrowed)
        return Plan(some, laws.find(self.laws) if self.laws else [], scope, self.seed)

    def to_record(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return {"kind": "campaign", "schema": SCHEMA, "id": self.id, **asdict(self)}

    @staticmethod
    def of(record: Mapping[str, Any]) -> CampaignPlan:
        """The plan of a record that `to_record` returned."""
        return CampaignPlan(**{f.name: _tuples(record[f.name]) for f in fields(CampaignPlan)})


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(one) for name, one in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def read_plan(folder: Path) -> CampaignPlan:
    """The plan of the campaign in `folder`.

    Raises:
        UsageError: the folder has none, or it is incomplete.
    """
    path = folder / NAME
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("schema") != SCHEMA:
            raise UsageError(f"{path} has schema {record.get('schema')}, this reads {SCHEMA}")
        return CampaignPlan.of(record)
    except OSError as error:
        raise UsageError(f"{folder} holds no campaign: {path.name} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} is no plan of a campaign: {error!r}") from None
