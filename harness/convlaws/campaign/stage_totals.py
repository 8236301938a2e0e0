"""Totals over the records of a lane's stages, from which its next stage is planned: examples, coverage, failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from convlaws.judge.cell import UNSHRUNK
from convlaws.records.finding import CellId


def is_small(cell: Mapping[str, Any]) -> bool:
    """True if a compact finding is a new failure that has been shrunk."""
    return cell["verdict"] in ("broken", "crashed", "hung") and not cell.get("known") and UNSHRUNK not in cell.get("message", "")


def _id(cell: Mapping[str, Any]) -> CellId:
    return CellId(cell["method"], cell["law"], cell["op"])


@dataclass
class Evidence:
    """Sums over the shards of some stages of a lane.

    `spent` are the cells for which further draws give nothing new: their space is exhausted, all is refused or vacuous. `pairs`
    has the pairs of feature values that each method has met, one bit each, and `grew` how many the latest stage added.
    """

    examples: Counter[CellId] = field(default_factory=Counter)
    small: Counter[CellId] = field(default_factory=Counter)
    spent: set[CellId] = field(default_factory=set)
    pairs: dict[str, int] = field(default_factory=dict)
    grew: dict[str, int] = field(default_factory=dict)

    def see(self, record: Mapping[str, Any]) -> None:
        """Add the record of a complete shard."""
        op = record["op"]
        once = {_id(cell): cell.get("examples", 0) for cell in record["cells"]}
        self.examples.update(once)
        self.small.update(_id(cell) for cell in record["cells"] if is_small(cell))
        self.spent |= {CellId(method, law, op) for law, method in record["spent"]}
        for method, told in record["coverage"].items():
            self.pairs[method] = self.pairs.get(method, 0) | int(told["pairs"], 16)

    def absorb(self, stage: Evidence) -> None:
        """Add the totals of a whole stage, after all stages before it."""
        self.examples.update(stage.examples)
        self.small.update(stage.small)
        self.spent |= stage.spent
        before = dict(self.pairs)
        for method, bits in stage.pairs.items():
            self.pairs[method] = before.get(method, 0) | bits
        self.grew = {m: bits.bit_count() - before.get(m, 0).bit_count() for m, bits in self.pairs.items()}

    def is_growing(self, method: str) -> bool:
        """True if more than a hundredth of the pairs that the method has met were added by the latest stage."""
        return self.grew.get(method, 0) * 100 > self.pairs.get(method, 0).bit_count()

    def few(self) -> float:
        """Half of the median number of examples of the cells: a cell with fewer is behind."""
        return median(self.examples.values()) / 2 if self.examples else 0.0
