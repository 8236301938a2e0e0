"""`convlaws summary`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from convlaws.cli.options import FILES
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


@click.command()
@FILES
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(("md", "junit", "lines")),
    default="md",
    show_default=True,
    help="Markdown, JUnit XML, or the failing problem lines as a file that 'check --problems' takes.",
)
@click.option(
    "--since", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
    help="Earlier findings: say what changed; of lines, only new ones. May be repeated.",
)  # fmt: skip
def command(files, form, since) -> None:
    """Print a summary of findings files, added up."""
    run(files, form, since)


def run(files: tuple[Path, ...], form: str, since: tuple[Path, ...]) -> None:
    """Print the findings in the given format."""
    text = _FORMS[form](merged(files), merged(since) if since else None)
    sys.stdout.buffer.write(text.encode("utf-8"))
