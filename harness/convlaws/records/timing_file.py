"""Timing: the time of a method on a problem; and its file: one JSON record a line, then a record of the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from convlaws.errors import SchemaError, UsageError
from convlaws.records.finding import HOLDS, SCHEMA, Verdict, dump, load

_OPTIONAL = {f"{kind} | None": kind for kind in ("int", "float")}


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The timing of one method on one problem.

    `verdict` is `kept` if every answer was within the contract, before and after the timing; only then there is a
    time. `seconds` is the median over blocks of calls, of one call; `low` and `high` are their quartiles. `times` is
    how often the network has the layer. `flops` and `traffic` are what the problem needs (see `work`),
    `bound` the minimum of seconds for it on this machine, 0 if that was not measured. `memory` is the number of
    bytes by which a fresh process grew in its first call, its operands not counted. `ratio` is
    the worst error over the slack, of the `judged` share of the result.
    """

    name: str
    problem: str
    method: str
    verdict: Verdict
    message: str = ""
    contract: str = ""
    times: int = 1
    seconds: float | None = None
    low: float | None = None
    high: float | None = None
    blocks: int = 0
    calls: int = 0
    threads: int = 1
    flops: int = 0
    traffic: int = 0
    bound: float = 0.0
    memory: int | None = None
    ratio: float | None = None
    judged: float = 1.0

    @property
    def rate(self) -> float:
        """Flops per second that were needed; 0 without a time."""
        return self.flops / self.seconds if self.seconds else 0.0

    @property
    def share(self) -> float:
        """Fraction of the roofline: 1 is as fast as this machine multiplies matrices, or copies; 0 if not known."""
        return self.bound / self.seconds if self.seconds else 0.0

    @property
    def spread(self) -> float:
        """The interquartile range over the median."""
        return (self.high - self.low) / self.seconds if self.seconds and self.high and self.low else 0.0

    def to_line(self) -> str:
        """The record as one line of JSON."""
        return dump({"kind": "timing", "schema": SCHEMA, **{k: v for k, v in asdict(self).items() if v is not None}})

    @staticmethod
    def of(record: dict[str, Any]) -> Timing:
        """The timing of a record that `load` returned.

        Raises:
            SchemaError: a field is missing, or has an invalid value.
        """
        known = Timing.__dataclass_fields__
        if missing := {"name", "problem", "method", "verdict"} - record.keys():
            raise SchemaError(f"the timing has no {', '.join(sorted(missing))}")
        kept = {name: record[name] for name in known if name in record}
        for name, value in kept.items():
            kind = str(known[name].type)
            if not HOLDS[_OPTIONAL.get(kind, kind)](value):
                raise SchemaError(f"{name} is {value!r:.40}, it should be of type {kind}")
        try:
            return Timing(**{**kept, "verdict": Verdict(record["verdict"])})
        except ValueError:
            raise SchemaError(f"{record['verdict']!r:.40} is not a valid Verdict") from None


@dataclass(frozen=True)
class Times:
    """A file of timings; `machine` has the rates and the environment, empty if the run was stopped before."""

    timings: list[Timing]
    machine: dict[str, Any] = field(default_factory=dict)


def to_text(timings: Sequence[Timing], machine: dict[str, Any]) -> str:
    """The text of the file: the timings, and the machine in the last line."""
    return "".join(
        f"{line}\n" for line in (*(t.to_line() for t in timings), dump({**machine, "kind": "machine", "schema": SCHEMA}))
    )


def read_times(path: str | PathLike[str]) -> Times:
    """Read a file that `compare --json` wrote.

    Raises:
        UsageError: it cannot be read, or has no timing. SchemaError: a line is not a record; the message has FILE: line N.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from error
    timings, machine = [], {}
    for number, line in enumerate(lines, 1):
        try:
            record = load(line)
            if record["kind"] == "timing":
                timings.append(Timing.of(record))
            elif record["kind"] == "machine":
                machine = record
        except SchemaError as error:
            raise SchemaError(f"{path}: line {number}: {error}") from error
    if not timings:
        raise UsageError(f"{path} has no timing; 'convlaws compare TARGET --json FILE' writes them")
    return Times(timings, machine)
