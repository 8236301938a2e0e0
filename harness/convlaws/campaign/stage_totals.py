"""What the records of a lane tell its next stage: how far each (method, law, op) is, and what pays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from convlaws.judge.cell import UNSHRUNK
from convlaws.records.finding import CellId


def is_small(cell: Mapping[str, Any]) -> bool:
    """Whether a compact finding is a new failure that was made small."""
    return cell["verdict"] in ("broken", "crashed", "hung") and not cell.get("known") and UNSHRUNK not in cell.get("message", "")


def _id(cell: Mapping[str, Any]) -> CellId:
    return CellId(cell["method"], cell["law"], cell["op"])


@dataclass
class Evidence:
    """Sums over the shards of some stages of a lane.

    `spent` are the cells that no more draws will tell anything of: their space is exhausted, all is refused or vacuous. `pairs`
    has the pairs of features that each method has met, one bit each, and `grew` how many of them the latest stage added.
    """

    examples: Counter[CellId] = field(default_factory=Counter)
    small: Counter[CellId] = field(default_factory=Counter)
    spent: set[CellId] = field(default_factory=set)
    pairs: dict[str, int] = field(default_factory=dict)
    grew: dict[str, int] = field(default_factory=dict)

    def see(self, record: Mapping[str, Any]) -> None:
        """Take note of the record of a whole shard."""
        op = record["op"]
        once = {_id(cell): cell.get("examples", 0) for cell in record["cells"]}
        self.examples.update(once)
        self.small.update(_id(cell) for cell in record["cells"] if is_small(cell))
        self.spent |= {CellId(method, law, op) for law, method in record["spent"]}
        for method, told in record["coverage"].items():
            self.pairs[method] = self.pairs.get(method, 0) | int(told["pairs"], 16)

    def absorb(self, stage: Evidence) -> None:
        """Take in what a whole stage told, after all stages before it."""
        self.examples.update(stage.examples)
        self.small.update(stage.small)
        self.spent |= stage.spent
        before = dict(self.pairs)
        for method, bits in stage.pairs.items():
            self.pairs[method] = before.get(method, 0) | bits
        self.grew = {m: bits.bit_count() - before.get(m, 0).bit_count() for m, bits in self.pairs.items()}

    def is_growing(self, method: str) -> bool:
        """Whether the latest stage added more than a hundredth to the pairs that the method has met."""
        return self.grew.get(method, 0) * 100 > self.pairs.get(method, 0).bit_count()

    def few(self) -> float:
        """Half of the median of what the cells have: who has less is behind."""
        return median(self.examples.values()) / 2 if self.examples else 0.0
