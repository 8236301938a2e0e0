"""Verdict and Finding: the records of results, and their JSON lines.

One record a line. Records of kind `finding` have the verdict of one (method, law, op)
each; the last record of a run is its `summary`.
"""

from __future__ import annotations

import enum
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from convlaws.errors import SchemaError

SCHEMA = 1
LEAST = 20  # judged, non-vacuous examples below which a cell is not called `kept`


class Verdict(enum.StrEnum):
    """The result of a case. The value is the text in files, so it never changes."""

    KEPT = "kept"  # the law held, on at least LEAST non-vacuous examples
    BROKEN = "broken"  # the law did not hold
    CRASHED = "crashed"  # the method raised on a valid problem, or its process died
    HUNG = "hung"  # no answer within the time limit
    REFUSED = "refused"  # outside the method's declared scope; the message has the reason
    VACUOUS = "vacuous"  # nothing broke, but the evidence is weak: see the message

    @property
    def bad(self) -> bool:
        """True if this is a failure of the method."""
        return self in (Verdict.BROKEN, Verdict.CRASHED, Verdict.HUNG)


class CellId(NamedTuple):
    """The key of a verdict: the names of a method, a law and an op."""

    method: str
    law: str
    op: str


@dataclass(kw_only=True)
class Finding:
    """The verdict of one (method, law, op), with its evidence.

    `problem` is the line that shows a failure (shrunk), or the last one judged. `examples` counts
    judged non-vacuous examples, `seconds` the time they took, `worst_ratio` is the largest
    |error| / slack seen. `family` is the law's family, `specific` its rank: of several broken laws
    the one with the highest names the mistake best. `known` is the id of the known finding that explains a failure,
    `flaky` is "k/n" if the failure repeated k times out of n, `history` holds the lines that have to run before it.
    `ran` counts the kernels that ran, where the library reports them; of a failure it is the one that failed. `holds` has,
    by dtype, the contracts that all answers kept, where the law compares with the definition. By the id of a
    known finding, `explained` counts the failing cases that it explains, `avoided` the problems not asked because of it.
    `failed` counts the failing ones of the examples, `asked` is a checksum of all drawn problems in their order.
    Of a failure, `within` has for each feature of a problem the values that the failing problems had.
    All failures of one (method, law, op) carry the same tallies: they were drawn together.
    A failure came `after` so many cases of its method (including itself, under any law), which took `after_seconds`; `tries`
    cases were run to shrink it.
    `run` is the id of the run that judged it, `environment` that of the versions and the machine that it
    was judged on; a run with the same seed and targets, there, would judge the same again.
    """

    method: str
    law: str
    op: str
    verdict: Verdict
    problem: str = ""
    message: str = ""
    examples: int = 0
    seconds: float = 0.0
    worst_ratio: float = 0.0
    says: str = ""
    family: str = ""
    specific: int = 1
    contract: str = ""
    dtype: str = ""
    signature: str = ""
    known: str = ""
    flaky: str = ""
    history: list[str] = field(default_factory=list)
    after: int = 0
    after_seconds: float = 0.0
    tries: int = 0
    failed: int = 0
    drawn: int = 0
    asked: str = ""
    vacuous: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    explained: dict[str, int] = field(default_factory=dict)
    avoided: dict[str, int] = field(default_factory=dict)
    error_histogram: list[int] = field(default_factory=list)
    terms_histogram: list[int] = field(default_factory=list)
    evidence: dict = field(default_factory=dict)
    within: dict = field(default_factory=dict)
    ran: dict[str, int] = field(default_factory=dict)
    holds: dict[str, list[str]] = field(default_factory=dict)
    run: str = ""
    environment: str = ""

    @property
    def cell(self) -> CellId:
        """The (method, law, op) that it is about."""
        return CellId(self.method, self.law, self.op)

    @property
    def verified(self) -> bool:
        """True if it is conclusive: kept, or judged often enough and mostly right apart from what known findings explain."""
        beside = self.verdict.bad and bool(self.known) and self.examples >= LEAST and 2 * self.failed <= self.examples
        return self.verdict is Verdict.KEPT or beside

    @property
    def id(self) -> str:
        """Digest of (method, law, op, signature, problem), by which a merge counts failures."""
        text = "|".join((self.method, self.law, self.op, self.signature, self.problem if self.verdict.bad else ""))
        return digest(text)

    def to_line(self) -> str:
        """The record as one line of JSON: ASCII only, no NaN or Infinity."""
        return dump({"kind": "finding", "schema": SCHEMA, "id": self.id, **asdict(self)})

    @staticmethod
    def from_line(line: str) -> Finding:
        """The finding of a line that `to_line` wrote.

        Raises:
            SchemaError: the line is not such a record.
        """
        record = load(line)
        if record["kind"] != "finding":
            raise SchemaError(f"a {record['kind']!r} record where a finding should be")
        return Finding.of(record)

    @staticmethod
    def of(record: dict) -> Finding:
        """The finding of a record that `load` returned.

        Raises:
            SchemaError: a field is missing, or has an invalid value.
        """
        known = Finding.__dataclass_fields__
        if missing := {"method", "law", "op", "verdict"} - record.keys():
            raise SchemaError(f"the finding has no {', '.join(sorted(missing))}")
        for name, entry in known.items():
            if name in record and not HOLDS[str(entry.type)](record[name]):
                raise SchemaError(f"{name} is {_short(record[name])}, it should be of type {entry.type}")
        try:
            verdict = Verdict(record["verdict"])
        except ValueError:
            raise SchemaError(f"{_short(record['verdict'])} is not a valid Verdict") from None
        return Finding(**{**{k: v for k, v in record.items() if k in known}, "verdict": verdict})


def name_parts(method: str) -> tuple[str, str, str]:
    """The row (or the address of a function), the version and the ISA level in a method's name.

    >>> name_parts("torch-onednn@2.12.0%avx2"), name_parts("a@b/mine.py:conv%2threads")
    (('torch-onednn', '2.12.0', 'avx2'), ('a@b/mine.py:conv', '', '2threads'))
    """
    place, colon, last = method.rpartition(":")
    stem, _, level = last.partition("%")
    row, _, version = (stem, "", "") if colon else stem.partition("@")
    return f"{place}{colon}{row}", version, level


def counted(number: int, noun: str) -> str:
    """The number with its noun, in the plural if it is not 1.

    >>> counted(1, "example"), counted(2000, "example")
    ('1 example', '2,000 examples')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def by_cell(findings: Iterable[Finding]) -> dict[CellId, list[Finding]]:
    """The findings of each (method, law, op)."""
    cells: dict[CellId, list[Finding]] = {}
    for f in findings:
        cells.setdefault(f.cell, []).append(f)
    return cells


def digest(text: str) -> str:
    """Digest of `text`, twelve hexadecimal digits; any text is allowed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def too_few(examples: int, vacuous: Mapping[str, int], least: int = LEAST) -> str:
    """The message that there are too few examples, with what happened to the others."""
    reasons = "; ".join(f"{count} x {why}" for why, count in vacuous.items())
    few = f"too few: {examples} of at least {least} judged examples"
    return f"{few} ({reasons})" if reasons else few


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# by the declared type of a field of Finding: a check of a value read from a file
HOLDS: dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "Verdict": _is_text,
    "int": _is_count,
    "float": _is_number,
    "dict": lambda value: isinstance(value, dict),
    "list[str]": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "list[int]": lambda value: isinstance(value, list) and all(map(_is_count, value)),
    "dict[str, list[str]]": lambda value: isinstance(value, dict) and all(map(HOLDS["list[str]"], value.values())),
    "dict[str, int]": lambda value: isinstance(value, dict) and all(map(_is_count, value.values())),
}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):  # NaN, Infinity and 1e999, which Python would accept
        raise ValueError(f"{text} is no finite number")
    return value


def dump(record: dict) -> str:
    """A record as one line of JSON."""
    return json.dumps(record, allow_nan=False, default=str)


def summary_line(**values: object) -> str:
    """The last record of a run, as a line."""
    return dump({"kind": "summary", "schema": SCHEMA, **values})


def load(line: str) -> dict:
    """Parse a record of any kind.

    Raises:
        SchemaError: not a JSON object, or of another schema number.
    """
    try:
        record = json.loads(line, parse_constant=_number, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"no JSON: {error}") from None
    if not isinstance(record, dict) or "kind" not in record:
        raise SchemaError("no record: it should be an object with a 'kind'")
    if record.get("schema") != SCHEMA:
        raise SchemaError(f"schema {_short(record.get('schema'))}, this reads {SCHEMA}")
    return record
