"""Verdict and Finding: what is recorded, and its JSON lines.

One record a line. Records of kind `finding` say how one (method, law, op)
ended; the last record of a run is its `summary`.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field

from convlaws.errors import SchemaError

SCHEMA = 1
LEAST = 20  # judged, non-vacuous examples below which `kept` would say too little


class Verdict(enum.StrEnum):
    """How a case ended. The value is what the file says, so it never changes."""

    KEPT = "kept"  # the law held, on at least LEAST examples that mean something
    BROKEN = "broken"  # the law did not hold
    CRASHED = "crashed"  # the method raised on a valid problem, or its process died
    HUNG = "hung"  # no answer within the time limit
    REFUSED = "refused"  # out of the method's declared scope, in words
    VACUOUS = "vacuous"  # nothing broke, but the evidence is worth little: see the message

    @property
    def bad(self) -> bool:
        """Whether this is a failure of the method."""
        return self in (Verdict.BROKEN, Verdict.CRASHED, Verdict.HUNG)


@dataclass(kw_only=True)
class Finding:
    """The verdict of one (method, law, op), with its evidence.

    `problem` is the line that shows a failure (shrunk), or the last one judged. `examples` counts
    judged examples that mean something, `seconds` the time they took, `worst_ratio` is the largest
    |error| / slack seen. `known` is the id of the known finding that explains a failure; `specific`
    ranks the law: of several broken ones the highest names the mistake best; `flaky` is "k/n" if
    the failure repeated k times out of n, `history` holds the lines that have to run before it. `ran` counts the
    kernels that ran, where the library tells; of a failure it is the one that failed.
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
    specific: int = 1
    contract: str = ""
    dtype: str = ""
    signature: str = ""
    known: str = ""
    flaky: str = ""
    history: list[str] = field(default_factory=list)
    drawn: int = 0
    vacuous: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    error_histogram: list[int] = field(default_factory=list)
    terms_histogram: list[int] = field(default_factory=list)
    evidence: dict = field(default_factory=dict)
    ran: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """A short name for (method, law, op, signature, problem) that a merge can count by."""
        text = "|".join((self.method, self.law, self.op, self.signature, self.problem if self.verdict.bad else ""))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_line(self) -> str:
        """The record as one line of JSON: plain ASCII, no NaN or Infinity."""
        return _dump({"kind": "finding", "schema": SCHEMA, "id": self.id, **asdict(self)})

    @staticmethod
    def from_line(line: str) -> Finding:
        """The finding of a line that `to_line` wrote.

        Raises:
            SchemaError: it is no such line.
        """
        record = load(line)
        if record["kind"] != "finding":
            raise SchemaError(f"a {record['kind']!r} record where a finding should be")
        known = Finding.__dataclass_fields__
        if missing := {"method", "law", "op", "verdict"} - record.keys():
            raise SchemaError(f"the finding has no {', '.join(sorted(missing))}")
        try:
            record["verdict"] = Verdict(record["verdict"])
        except ValueError as error:
            raise SchemaError(str(error)) from None
        return Finding(**{k: v for k, v in record.items() if k in known})


def _dump(record: dict) -> str:
    return json.dumps(record, allow_nan=False, default=str)


def summary_line(**values: object) -> str:
    """The last record of a run."""
    return _dump({"kind": "summary", "schema": SCHEMA, **values})


def load(line: str) -> dict:
    """A record of any kind.

    Raises:
        SchemaError: no JSON object, or of another schema number.
    """
    try:
        record = json.loads(line)
    except ValueError as error:
        raise SchemaError(f"no JSON: {error}") from None
    if not isinstance(record, dict) or "kind" not in record:
        raise SchemaError("no record: it should be an object with a 'kind'")
    if record.get("schema") != SCHEMA:
        raise SchemaError(f"schema {record.get('schema')!r}, this reads {SCHEMA}")
    return record


def read(lines: Iterable[str]) -> Iterator[Finding]:
    """The findings of a file. A line that is no record is an error with its number, never a gap."""
    for number, line in enumerate(lines, 1):
        try:
            record = load(line)
            if record["kind"] == "finding":
                yield Finding.from_line(line)
        except SchemaError as error:
            raise SchemaError(f"line {number}: {error}") from error
