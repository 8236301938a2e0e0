"""`convlaws summary`."""

from __future__ import annotations

import sys
from pathlib import Path

from convlaws.records.merge import Run, merged
from convlaws.reports.junit import junit
from convlaws.reports.markdown import markdown
from convlaws.reports.problem_lines import problem_lines


def _markdown(run: Run, earlier: Run | None) -> str:
    return markdown(run.apart(), earlier=earlier.apart() if earlier else None, notes=run.notes)


_FORMS = {
    "md": _markdown,
    "junit": lambda run, earlier: junit(run.apart()),
    "lines": lambda run, earlier: problem_lines(run.findings, earlier.findings if earlier else []),
}


def run(files: tuple[Path, ...], form: str, since: tuple[Path, ...]) -> None:
    """Print the findings in that form."""
    text = _FORMS[form](merged(files), merged(since) if since else None)
    sys.stdout.buffer.write(text.encode("utf-8"))
