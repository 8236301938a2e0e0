"""The corpus: every shrunk failing line, once. Later runs judge these lines first.

A line of the file is a problem as `check --problems` takes it; the JSON after it names its method, law and preceding lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from convlaws.errors import HarnessError, UsageError
from convlaws.problem.problem import Problem
from convlaws.records.finding import Finding

NAME = "corpus.txt"
Kept = tuple[str, str, tuple[str, ...]]  # method, law, the lines that must run before it and the failing line itself


def kept(finding: Finding) -> Kept:
    """The method, law and lines to run to reproduce a failure."""
    return finding.method, finding.law, (*finding.history, finding.problem)


def text_of(lines: Iterable[Kept]) -> str:
    """The text of a corpus file.

    >>> text_of([("im2col", "homogeneous", ("n1c1k1_x1_r1",))])
    'n1c1k1_x1_r1  # {"method": "im2col", "law": "homogeneous", "after": []}\\n'
    """
    rows = []
    for method, law, (*before, last) in sorted(set(lines)):
        rows.append(f"{last}  # {json.dumps({'method': method, 'law': law, 'after': before})}\n")
    return "".join(rows)


def read(path: Path) -> list[Kept]:
    """The lines of a corpus file. Lines without method and law, or that no longer parse as problems, are skipped.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        rows = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    return [entry for row in rows if (entry := parsed(row))]


def parsed(row: str) -> Kept | None:
    """The entry of a line; None if this version cannot parse it."""
    line, mark, told = row.partition("  # ")
    try:
        facts = json.loads(told) if mark else {}
        entry = (str(facts["method"]), str(facts["law"]), (*map(str, facts["after"]), line.strip()))
        for one in entry[2]:
            Problem.parse(one)
    except (ValueError, KeyError, TypeError, HarnessError):
        return None
    return entry
