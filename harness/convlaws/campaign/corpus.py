"""The corpus: every failing line that was made small, once, as later runs judge it first.

A line of the file is a problem as `check --problems` takes it; the comment behind it says whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from convlaws.errors import HarnessError, UsageError
from convlaws.problem.problem import Problem
from convlaws.records.finding import Finding

NAME = "corpus.txt"
Kept = tuple[str, str, tuple[str, ...]]  # method, law, the lines that run before it and itself


def kept(finding: Finding) -> Kept:
    """What has to be run to see a failure again."""
    return finding.method, finding.law, (*finding.history, finding.problem)


def text_of(lines: Iterable[Kept]) -> str:
    """The file.

    >>> text_of([("im2col", "homogeneous", ("n1c1k1_x1_r1",))])
    'n1c1k1_x1_r1  # {"method": "im2col", "law": "homogeneous", "after": []}\\n'
    """
    rows = []
    for method, law, (*before, last) in sorted(set(lines)):
        rows.append(f"{last}  # {json.dumps({'method': method, 'law': law, 'after': before})}\n")
    return "".join(rows)


def read(path: Path) -> list[Kept]:
    """The lines of a corpus; those that say whose they are not, or are no problem any more, are no part of it.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        rows = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    return [found for row in rows if (found := parsed(row))]


def parsed(row: str) -> Kept | None:
    """The entry of a line; None if it is none that this version understands."""
    line, mark, told = row.partition("  # ")
    try:
        facts = json.loads(told) if mark else {}
        found = (str(facts["method"]), str(facts["law"]), (*map(str, facts["after"]), line.strip()))
        for one in found[2]:
            Problem.parse(one)
    except (ValueError, KeyError, TypeError, HarnessError):
        return None
    return found
